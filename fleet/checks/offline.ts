/**
 * `npm run check:offline`: the policy pack's verdict on the rendered objects of every stack. It
 * needs npm alone, so that a fork's pull request, which gets no credentials, is judged too.
 */
import { Command } from "commander";
import { SettingsError, settingsWarnings } from "../../components/settings";
import { checkAll } from "../../policy/core/pack";
import { rules } from "../../policy/rules";
import { reason } from "../errors";
import type { Fleet } from "../fleet";
import { readSettings, type Stack } from "../stacks";
import { addCheck, runCommand } from "./command";
import { renderSettings } from "./render";
import type { StackReport } from "./report";
import { fromFinding } from "./violations";

/** Judges one stack by its file alone. */
async function checkOffline(fleet: Fleet, stack: Stack): Promise<StackReport> {
  const { name } = stack;
  const report: StackReport = {
    stack: name,
    by: "rendered",
    objects: 0,
    changes: [],
    violations: [],
    warnings: [],
  };
  try {
    const settings = await readSettings(fleet, stack);
    const { resources } = await renderSettings(settings, { stack: name, withFieldManager: true });
    const violations = checkAll(rules, resources).map(fromFinding);
    const warnings = settingsWarnings(settings);
    return { ...report, objects: resources.length, violations, warnings };
  } catch (error) {
    // One broken stack does not keep the others from being judged.
    if (!(error instanceof SettingsError)) console.error(error);
    return { ...report, error: reason(error) };
  }
}

/** One after the other: Pulumi's mocks belong to the process. */
async function checkEach(fleet: Fleet, stacks: Stack[]): Promise<StackReport[]> {
  const reports: StackReport[] = [];
  for (const stack of stacks) reports.push(await checkOffline(fleet, stack));
  return reports;
}

const command = new Command("npm run check:offline --").description(
  "Judges the rendered objects of each stack by the policy pack; needs npm alone.",
);
runCommand(addCheck(command, () => checkEach));
