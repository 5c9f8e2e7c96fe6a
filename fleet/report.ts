/**
 * What a command prints. The result is on stdout, as text or, with `--json`, as JSON alone; progress,
 * questions and errors are on stderr. Colours only where Node finds a terminal that has them, and none with
 * NO_COLOR.
 */
import { createInterface } from "node:readline/promises";
import { styleText } from "node:util";
import Table from "cli-table3";
import { Interrupted, UsageError } from "./errors";

export type Color = "red" | "green" | "yellow" | "bold" | "dim";

export class Output {
  /** Whether a person reads the result. */
  readonly colors = Boolean(process.stdout.isTTY) && process.stdout.hasColors();
  /** Whether progress may redraw its lines. */
  readonly redraws = Boolean(process.stderr.isTTY) && !process.env.CI && !process.env.NO_COLOR;

  constructor(readonly json: boolean) {}

  /** The result. */
  write(text: string): void {
    process.stdout.write(text.endsWith("\n") ? text : `${text}\n`);
  }

  /** Progress, for a person beside the result. */
  note(text: string): void {
    process.stderr.write(`${text}\n`);
  }

  color(color: Color, text: string): string {
    return this.colors ? styleText(color, text) : text;
  }

  /** Whether somebody is there to answer. */
  get asks(): boolean {
    return Boolean(process.stdin.isTTY && process.stderr.isTTY);
  }

  /**
   * Asks before what cannot be undone. `expected` is what has to be typed: `yes`, or a name that
   * nobody types by mistake.
   * @throws UsageError without a terminal, naming the option that answers; Interrupted by Ctrl-C and
   *   Ctrl-D, which the terminal hands to the question instead of the process
   */
  async confirm(
    question: string,
    { expected = "yes", option = "--yes", signal }: Confirmation,
  ): Promise<boolean> {
    if (!this.asks) throw new UsageError(`${question}\nNothing was touched: say ${option}.`);
    const lines = createInterface({ input: process.stdin, output: process.stderr });
    try {
      const prompt = `${question}\nType ${expected} to go on: `;
      return (await lines.question(prompt, { signal })).trim() === expected;
    } catch {
      this.note("");
      throw new Interrupted();
    } finally {
      lines.close();
    }
  }
}

interface Confirmation {
  expected?: string;
  option?: string;
  signal: AbortSignal;
}

/** Rows under a header, in columns without lines. */
export function table(header: string[], rows: string[][]): string {
  const nothing = { mid: "", left: "", right: "", "left-mid": "", "mid-mid": "", "right-mid": "" };
  const edges = { top: "", "top-mid": "", "top-left": "", "top-right": "" };
  const bottom = { bottom: "", "bottom-mid": "", "bottom-left": "", "bottom-right": "" };
  const style = { head: [], border: [], "padding-left": 0, "padding-right": 0 };
  const chars = { ...nothing, ...edges, ...bottom, middle: "  " };
  const lines = new Table({ head: header, style, chars });
  lines.push(...rows);
  return lines
    .toString()
    .split("\n")
    .map((line) => line.trimEnd())
    .join("\n");
}

/** `1 stack`, `2 stacks`. */
export function count(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? "" : "s"}`;
}
