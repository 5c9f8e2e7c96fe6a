/** Works on stacks side by side, shows how far each is, and lets none stop the others. */
import { type DefaultRenderer, Listr, ListrLogger, PRESET_TIMER, ProcessOutput } from "listr2";
import { Refusal } from "../components/failure";
import { Interrupted, reason, UsageError } from "./errors";
import type { Fleet } from "./fleet";
import type { Stack } from "./stacks";

/** What came of one stack. */
export interface Outcome<T> {
  stack: string;
  seconds: number;
  /** Set when the work ended well. */
  value?: T;
  /** Set when it did not. */
  error?: unknown;
}

/** Says what is being done now. */
export type Progress = (text: string) => void;

/** Does the work for each stack; the outcomes are in the order of the stacks. */
export async function runStacks<T>(
  fleet: Fleet,
  stacks: Stack[],
  work: (stack: Stack, progress: Progress) => Promise<T>,
): Promise<Outcome<T>[]> {
  const outcomes = new Map<string, Outcome<T>>();
  const one = async (stack: Stack, progress: Progress) => {
    const started = Date.now();
    const outcome: Outcome<T> = { stack: stack.name, seconds: 0 };
    outcomes.set(stack.name, outcome);
    try {
      fleet.interrupted.throwIfAborted();
      outcome.value = await work(stack, progress);
    } catch (error) {
      outcome.error = fleet.interrupted.aborted ? new Interrupted() : error;
      throw new Error(firstLine(reason(outcome.error)), { cause: error });
    } finally {
      outcome.seconds = Math.round((Date.now() - started) / 100) / 10;
    }
  };
  const { redraws } = fleet.output;
  const tasks = stacks.map((stack) => ({
    title: stack.name,
    task: async (_: unknown, task: { output: string }) =>
      one(stack, (text) => {
        task.output = redraws ? text : `${stack.name}: ${text}`;
      }),
  }));
  // All of it on stderr: stdout is the result's.
  const logger = new ListrLogger({
    useIcons: true,
    processOutput: new ProcessOutput(process.stderr, process.stderr),
  });
  await new Listr<unknown, typeof DefaultRenderer, "simple">(tasks, {
    concurrent: fleet.parallel,
    exitOnError: false,
    // It would end the process at once, in the middle of an update.
    registerSignalListeners: false,
    fallbackRenderer: "simple",
    fallbackRendererCondition: !redraws,
    rendererOptions: { logger, timer: PRESET_TIMER, collapseErrors: false },
    fallbackRendererOptions: { logger, timer: PRESET_TIMER },
  }).run();
  return stacks.map(({ name }) => outcomes.get(name)!);
}

/**
 * Ends a command for one stack as that stack's work ended.
 * @throws what the work threw
 */
export async function runStack<T>(
  fleet: Fleet,
  stack: Stack,
  work: (progress: Progress) => Promise<T>,
): Promise<T> {
  const [outcome] = await runStacks(fleet, [stack], (_, progress) => work(progress));
  if (outcome.error !== undefined) throw outcome.error;
  return outcome.value!;
}

/**
 * Ends the command when nothing was worth a table: it was interrupted before a stack was done, or
 * every stack was refused before anything was touched.
 * @throws Interrupted, or one error with all refusals
 */
export function assertSomeDone<T>(outcomes: Outcome<T>[]): void {
  if (outcomes.some(({ error }) => error === undefined)) return;
  if (outcomes.some(({ error }) => error instanceof Interrupted)) throw new Interrupted();
  if (outcomes.every(({ error }) => isRefusal(error))) {
    throw new UsageError(
      outcomes.map(({ stack, error }) => `${stack}: ${reason(error)}`).join("\n"),
    );
  }
}

/** Whether the work was refused before anything was touched. */
export function isRefusal(error: unknown): boolean {
  return error instanceof Refusal || error instanceof UsageError;
}

export function firstLine(text: string): string {
  return text.split("\n").find((line) => line.trim()) ?? "";
}
