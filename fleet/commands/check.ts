/** `fleet check`: a visit through the whole of a live site, and out again. */
import { NAMES, NAMESPACE } from "../../components/labels";
import { ROLLOUT_SECONDS } from "../../components/pods";
import { checkSite } from "../check";
import { connect } from "../cluster";
import { UsageError } from "../errors";
import type { Register } from "../fleet";
import { awaitNoneRuns, runCronJob } from "../jobs";
import { runStack } from "../run";
import { type Address, parseAddress } from "../site-probe";
import { chooseStack, readSettings } from "../stacks";
import { awaitServing } from "../web-pods";

export const registerCheck: Register = (program, run) => {
  const command = program
    .command("check")
    .description("sends a visit through the site: recorded, archived, reported, removed again")
    .argument("<stack>", "stack")
    .option("--address <host[:port]>", "reach the site there, not by its name", parseAddress)
    .action((name: string, { address }: { address?: Address }) =>
      run(command, async (fleet) => {
        const stack = await chooseStack(fleet, name);
        const { cluster: where, domain, archive: job } = await readSettings(fleet, stack);
        await runStack(fleet, stack, async (progress) => {
          const cluster = await connect(fleet, where);
          const secret = { namespace: NAMESPACE, name: NAMES.web };
          const token = (await cluster.core.readNamespacedSecret(secret)).data?.["archive-token"];
          if (!token) throw new UsageError(`Secret ${NAMES.web} has no archive-token`);
          progress("waiting for the web pod");
          await awaitServing(cluster, ROLLOUT_SECONDS, fleet.interrupted);
          const archive = async () => {
            // After an up, or a few minutes past the hour, the CronJob's own run may be at work.
            await awaitNoneRuns(cluster, "archive", job.timeout, fleet.interrupted);
            const what = { name: NAMES.archive, component: "archive", word: "check" };
            const { ok, said } = await runCronJob(cluster, what, progress, fleet.interrupted);
            return ok ? undefined : said;
          };
          const site = { domain, token: Buffer.from(token, "base64").toString(), address };
          await checkSite(site, { archive, progress });
        });
        const text = `${name} ${fleet.output.color("green", "ok")}: a visit was recorded, archived, reported and removed`;
        return { ok: true, json: { stack: name, ok: true }, text };
      }),
    );
};
