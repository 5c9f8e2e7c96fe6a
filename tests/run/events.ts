/** What a tier's process tells the run: one JSON object a line, in a file, as it happens. */
import { existsSync, readFileSync } from "node:fs";

export type Event =
  | { event: "passed"; file: string; title: string; ms: number }
  | { event: "failed"; file: string; title: string; ms: number; error: string }
  | { event: "file"; file: string; ms: number }
  | { event: "end" };

/** Of a hook that stands outside of all files: a bench's, which ends what several of them share. */
export const NO_FILE = "(what files share)";

/** The events so far; of a process that was killed the last line may be cut off. */
export function readEvents(file: string): Event[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, "utf8").split("\n");
  return lines.slice(0, -1).map((line) => JSON.parse(line) as Event);
}
