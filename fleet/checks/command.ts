/** How the checks' commands end: 1 when a check found something, 2 when they could not be run. */
import type { Command } from "commander";
import { Refusal } from "../../components/failure";

/** Runs a command; what it refuses is told without a stack trace. */
export function runCommand(command: Command): void {
  command.parseAsync().catch((error: unknown) => {
    console.error(error instanceof Refusal ? error.message : error);
    process.exitCode = 2;
  });
}
