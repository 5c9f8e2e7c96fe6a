/** What a running command prints: a line may come in pieces, or with others. */
import type { Readable } from "node:stream";

/** Calls back, once, when the output has these words. */
export function whenSaid(output: Readable, words: string, then: () => void): void {
  let text = "";
  const look = (chunk: unknown): void => {
    text += String(chunk);
    if (!text.includes(words)) return;
    output.off("data", look);
    then();
  };
  output.on("data", look);
}
