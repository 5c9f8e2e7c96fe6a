/** How a fleet command ends other than well; exit codes are in index.ts. */

/** The command was called wrongly, or asks for something that it was not told. Nothing was touched. */
export class UsageError extends Error {}

/** The work was done and something is wrong; the message says all, a stack trace would add nothing. */
export class Failure extends Error {}

/** Ctrl-C or SIGTERM; `next` is how to go on, where something was begun. */
export class Interrupted extends Error {
  constructor(next?: string) {
    super(next === undefined ? "interrupted" : `interrupted. ${next}`);
  }
}

/** The reason, without the class's name. */
export function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
