/** Errors of the local commands. */
import { ExecaError } from "execa";

/** An error that tells a person what was found and what to do; shown without a stack trace. */
export class UserError extends Error {}

/** Runs a command's work and ends the process as a command should: with 1 and the reason. */
export function runCommand(work: () => Promise<void>): void {
  work().catch((error: unknown) => {
    if (error instanceof UserError) {
      console.error(`\n${error.message}`);
      process.exitCode = 1;
    } else if (error instanceof ExecaError && error.exitCode !== undefined) {
      // The command that failed has said why.
      console.error(`\n${error.shortMessage}`);
      process.exitCode = error.exitCode;
    } else {
      throw error;
    }
  });
}
