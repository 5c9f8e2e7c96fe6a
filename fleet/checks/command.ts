/** What the checks' commands share: their stacks, how they tell, how they end. */
import type { Command } from "commander";
import { reason, UsageError } from "../errors";
import { addGlobalOptions, type Fleet, listenToSignals, openFleet } from "../fleet";
import { isRefusal } from "../run";
import { chooseStacks, type Stack } from "../stacks";
import { asText, exitCode, type Report, type StackReport, writeReport } from "./report";

/** Exit code of a check that could not be run at all; 1 is a check that found something. */
const NOT_RUN = 2;

/** Judges stacks; their reports are in their order. */
export type Check = (fleet: Fleet, stacks: Stack[]) => Promise<StackReport[]>;

/** Adds to a command that it judges the stacks it is given, or the whole fleet. */
export function addCheck(command: Command, check: (options: object) => Check): Command {
  return addGlobalOptions(command)
    .argument("[stack...]", "stacks; default: every one but local")
    .option("--report <file>", "writes the report for `npm run check:comment` too")
    .action(async (names: string[], options: { report?: string }) => {
      const fleet = openFleet(command, listenToSignals());
      const stacks = await chooseStacks(fleet, names, names.length === 0);
      const report: Report = { stacks: await check(options)(fleet, stacks) };
      if (options.report !== undefined) await writeReport(options.report, report);
      fleet.output.write(fleet.output.json ? JSON.stringify(report, undefined, 2) : asText(report));
      process.exitCode = exitCode(report);
    });
}

/** Runs a command; what it refuses is told without a stack trace. */
export function runCommand(command: Command): void {
  command.parseAsync().catch((error: unknown) => {
    console.error(isRefusal(error) || error instanceof UsageError ? reason(error) : error);
    process.exitCode = NOT_RUN;
  });
}
