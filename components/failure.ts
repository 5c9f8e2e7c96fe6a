/**
 * How the program ends when it cannot go on: a refusal with its message alone, anything else with
 * the frames of this program.
 *
 * Pulumi prints an error through Node's `inspect` with colours. Node 20 loops there on a frame such
 * as `node_modules/@pulumi/resource.ts`, which source maps make of Pulumi's own files, until memory
 * is short: half a minute for each failing preview. So no such frame leaves this program.
 */
import { RunError } from "@pulumi/pulumi/errors";

/** The program stopped on purpose, before anything was touched; its message says all. */
export class Refusal extends RunError {
  constructor(message: string) {
    super(message);
    // Without a stack Pulumi prints the message alone.
    delete this.stack;
  }
}

/** Runs the program; what it throws is shown as described above. */
export async function reportingFailures<T>(program: () => Promise<T>): Promise<T> {
  try {
    return await program();
  } catch (error) {
    throw presentable(error);
  }
}

/** The error as Pulumi is to print it. */
export function presentable(error: unknown): Error {
  if (error instanceof Refusal) return error;
  const failure = error instanceof Error ? error : new Error(String(error));
  const own = (line: string) => !line.includes("node_modules");
  failure.stack = failure.stack?.split("\n").filter(own).join("\n");
  return failure;
}
