/**
 * `npm run check:preview`: what an `up` of each stack would do to its cluster, judged by the policy
 * pack, as a report for the pull request's comment. Needs the engine and the stacks' credentials.
 */
import * as path from "node:path";
import { Command } from "commander";
import type { EngineEvent } from "@pulumi/pulumi/automation";
import { runCommand } from "./command";
import { summarise } from "./events";
import { masked } from "./mask";
import { asText, exitCode, isBlocked, type StackReport, writeReport } from "./report";
import { chosenStacks } from "./stack-files";

const checkout = path.resolve(__dirname, "..", "..");
/** The pack as an executable: engines load it whatever language host is beside them. */
const PACK = path.join(checkout, "policy", "run-policy");
/** On an embedded cluster of one machine; a runner has none of it. */
const NOT_IN_CI = ["local"];

/** Previews one stack; what goes wrong is part of the report. */
export async function checkPreview(project: string, stack: string): Promise<StackReport> {
  const { LocalWorkspace } = await import("@pulumi/pulumi/automation");
  const events: EngineEvent[] = [];
  let failure: string | undefined;
  try {
    const selected = await LocalWorkspace.selectStack({ stackName: stack, workDir: project });
    await selected.preview({ policyPacks: [PACK], onEvent: (event) => events.push(event) });
  } catch (error) {
    failure = error instanceof Error ? error.message : String(error);
  }
  const { objects, changes, violations, errors } = summarise(events);
  const report: StackReport = { stack, by: "preview", objects, changes, violations };
  // A violation ends the preview too, with an error that only says that it did.
  const said = errors.filter((text) => !isBlocked(report) || text !== "preview failed");
  const error = said.length || isBlocked(report) ? said.join("\n\n") || undefined : failure;
  return masked({ ...report, error });
}

async function run(
  named: string[],
  options: { cwd: string; json?: true; report?: string },
): Promise<void> {
  const project = path.resolve(options.cwd);
  const all = await chosenStacks(project, named);
  const chosen = named.length ? all : all.filter((stack) => !NOT_IN_CI.includes(stack));
  const stacks: StackReport[] = [];
  for (const stack of chosen) {
    console.error(`previewing ${stack}`);
    stacks.push(await checkPreview(project, stack));
  }
  const report = { stacks };
  if (options.report) await writeReport(options.report, report);
  console.log(options.json ? JSON.stringify(report, undefined, 2) : asText(report));
  process.exitCode = exitCode(report);
}

if (require.main === module) {
  const command = new Command("npm run check:preview --")
    .description("Previews stacks with the policy pack and reports what an `up` would change.")
    .argument("[stacks...]", "stacks; default: every Pulumi.STACK.yaml but local's")
    .option("--cwd <folder>", "folder of the Pulumi project", checkout)
    .option("--json", "prints the report as JSON")
    .option("--report <file>", "writes the report for `npm run check:comment` too")
    .action(run);
  runCommand(command);
}
