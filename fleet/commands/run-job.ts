/** `fleet archive` and `fleet backup`: a stack's CronJob now, followed, in its own words. */
import { NAMES } from "../../components/labels";
import { connect } from "../cluster";
import type { Register } from "../fleet";
import { type JobResult, runCronJob } from "../jobs";
import type { Output } from "../report";
import { runStack } from "../run";
import { chooseStack, readSettings } from "../stacks";

/** A stack's CronJob as a command. */
interface JobCommand {
  command: string;
  description: string;
  component: "archive" | "backup";
  cronJob: string;
}

export const registerArchive = register({
  command: "archive",
  description: "has Matomo process its reports now; exit 0 only when Matomo says that it did",
  component: "archive",
  cronJob: NAMES.archive,
});

export const registerBackup = register({
  command: "backup",
  description: "makes a backup now and proves it by restoring it; exit 0 only when it is proven",
  component: "backup",
  cronJob: NAMES.backup,
});

function register({ command: word, description, component, cronJob }: JobCommand): Register {
  return (program, run) => {
    const command = program
      .command(word)
      .description(description)
      .argument("<stack>", "stack")
      .action((name: string) =>
        run(command, async (fleet) => {
          const stack = await chooseStack(fleet, name);
          const settings = await readSettings(fleet, stack);
          const result = await runStack(fleet, stack, async (progress) => {
            const cluster = await connect(fleet, settings.cluster);
            const what = { name: cronJob, component, word: "now" };
            return runCronJob(cluster, what, progress, fleet.interrupted);
          });
          return {
            ok: result.ok,
            json: { stack: name, ...result },
            text: jobText(fleet.output, name, result),
          };
        }),
      );
  };
}

export function jobText(output: Output, stack: string, { job, ok, said, log }: JobResult): string {
  const verdict = ok ? output.color("green", "ok") : output.color("red", "FAILED");
  const more = log.length ? "" : `\n(the log of ${job} cannot be read)`;
  return `${stack} ${verdict}: ${said}${more}`;
}
