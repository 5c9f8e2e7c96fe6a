/**
 * `npm run check:offline`: the policy pack's verdict on the rendered objects of every stack. It
 * needs npm alone, so that a fork's pull request, which gets no credentials, is judged too.
 */
import * as path from "node:path";
import { Command } from "commander";
import { parseSettings, SettingsError } from "../../components/settings";
import { checkAll } from "../../policy/core/pack";
import { rules } from "../../policy/rules";
import { runCommand } from "./command";
import { asText, exitCode, type StackReport, writeReport } from "./report";
import { renderSettings } from "./render";
import { chosenStacks, rawConfiguration } from "./stack-files";
import { fromFinding } from "./violations";

const checkout = path.resolve(__dirname, "..", "..");

/** Judges one stack by its file alone. */
export async function checkOffline(project: string, stack: string): Promise<StackReport> {
  const report: StackReport = { stack, by: "rendered", objects: 0, changes: [], violations: [] };
  try {
    const settings = parseSettings(await rawConfiguration(project, stack));
    const { resources } = await renderSettings(settings, { stack, withFieldManager: true });
    const violations = checkAll(rules, resources).map(fromFinding);
    return { ...report, objects: resources.length, violations };
  } catch (error) {
    // One broken stack does not keep the others from being judged.
    if (!(error instanceof SettingsError)) console.error(error);
    return { ...report, error: error instanceof Error ? error.message : String(error) };
  }
}

/** The command, on the stacks of its arguments, otherwise on all. */
async function run(
  named: string[],
  options: { cwd: string; json?: true; report?: string },
): Promise<void> {
  const project = path.resolve(options.cwd);
  const report = { stacks: [] as StackReport[] };
  for (const stack of await chosenStacks(project, named)) {
    report.stacks.push(await checkOffline(project, stack));
  }
  if (options.report) await writeReport(options.report, report);
  console.log(options.json ? JSON.stringify(report, undefined, 2) : asText(report));
  process.exitCode = exitCode(report);
}

if (require.main === module) {
  const command = new Command("npm run check:offline --")
    .description("Judges the rendered objects of each stack by the policy pack; needs npm alone.")
    .argument("[stacks...]", "stacks; default: every Pulumi.STACK.yaml")
    .option("--cwd <folder>", "folder of the Pulumi project's files", checkout)
    .option("--json", "prints the report as JSON")
    .option("--report <file>", "writes the report for `npm run check:comment` too")
    .action(run);
  runCommand(command);
}
