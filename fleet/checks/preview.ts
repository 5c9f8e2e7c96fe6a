/**
 * `npm run check:preview`: what an `up` of each stack would do to its cluster, judged by the policy
 * pack, as a report for the pull request's comment. Needs the engine and the stacks' credentials.
 */
import type { EngineEvent } from "@pulumi/pulumi/automation/events";
import { Command } from "commander";
import { policyPackOption } from "../deploy";
import { reason } from "../errors";
import type { Fleet } from "../fleet";
import { runStacks } from "../run";
import { engineOptions, openStack, readSettings, type Stack } from "../stacks";
import { addCheck, type Check, runCommand } from "./command";
import { summarise } from "./events";
import { masked } from "./mask";
import { isBlocked, type StackReport } from "./report";

/** Previews one stack; what goes wrong is part of the report. */
async function checkPreview(fleet: Fleet, stack: Stack, policyPack: string): Promise<StackReport> {
  const events: EngineEvent[] = [];
  let failure: string | undefined;
  try {
    // All faults of the settings before the engine starts.
    await readSettings(fleet, stack);
    const engine = await openStack(fleet, stack);
    await engine.preview({
      ...engineOptions(fleet, stack),
      policyPacks: [policyPack],
      onEvent: (event) => events.push(event),
    });
  } catch (error) {
    failure = reason(error);
  }
  const { errors, ...found } = summarise(events);
  const report: StackReport = { stack: stack.name, by: "preview", ...found };
  // A violation ends the preview too, with an error that only says that it did.
  const said = errors.filter((text) => !isBlocked(report) || text !== "preview failed");
  const error = said.length || isBlocked(report) ? said.join("\n\n") || undefined : failure;
  return masked({ ...report, error });
}

const check =
  (policyPack: string): Check =>
  async (fleet, stacks) => {
    const outcomes = await runStacks(fleet, stacks, (stack, progress) => {
      progress("preview");
      return checkPreview(fleet, stack, policyPack);
    });
    return outcomes.map(({ stack, value, error }) => {
      const none = { objects: 0, changes: [], violations: [], warnings: [] };
      return value ?? { stack, by: "preview" as const, ...none, error: reason(error) };
    });
  };

const command = new Command("npm run check:preview --")
  .description("Previews stacks with the policy pack and reports what an `up` would change.")
  .addOption(policyPackOption());
runCommand(addCheck(command, (options) => check((options as { policyPack: string }).policyPack)));
