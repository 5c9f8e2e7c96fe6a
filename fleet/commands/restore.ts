/**
 * `fleet restore`: a site back from a backup. Replacing a site that is there is told twice: once
 * that it shall be done, and once by the site's host name. Where nothing of it is left, it is made anew
 * first, as an `up` makes it.
 */
import type { Settings } from "../../components/settings";
import { type ChosenBackup, chosenBackup, FROM_HELP } from "../chosen-backup";
import { type Cluster, connect } from "../cluster";
import { policyPackOption } from "../deploy";
import { stackEngine } from "../engine";
import { Interrupted, UsageError } from "../errors";
import type { Register } from "../fleet";
import { jobText } from "./run-job";
import { isGone, readWeb, restore, volumesLeft } from "../restore";
import { runStack } from "../run";
import { assertHostName, chooseStack, readSettings } from "../stacks";

interface Options {
  from: string;
  yes?: boolean;
  overwrite?: string;
  policyPack: string;
}

export const registerRestore: Register = (program, run) => {
  const command = program
    .command("restore")
    .description("brings a site back from a proven backup: database and state together")
    .argument("<stack>", "stack")
    .requiredOption("--from <backup>", FROM_HELP)
    .option("--yes", "do it without asking; needed without a terminal")
    .option("--overwrite <domain>", "replace the site that is there: its host name, said again")
    .addOption(policyPackOption())
    .action((name: string, options: Options) =>
      run(command, async (fleet) => {
        const stack = await chooseStack(fleet, name);
        const settings = await readSettings(fleet, stack);
        const { cluster: where, domain } = settings;
        const { from, yes } = options;
        const chosen = chosenBackup(from);
        assertHostName("--overwrite", options.overwrite, name, settings);
        const { output, interrupted: signal } = fleet;
        const cluster = await connect(fleet, where);
        let replace = options.overwrite;
        const anew = await isGone(cluster);
        if (anew) {
          // First: volumes that are left have the data itself.
          if (settings.storage.mode === "volumes") await assertNoVolumes(cluster, name);
          assertFromAway(chosen, name, settings);
        }
        const { serving } = anew ? { serving: false } : await readWeb(cluster);
        const question = anew
          ? `Nothing of ${name} (${domain}) is in its cluster. Make it anew, and restore ${from} into it?`
          : `Restore ${from} into ${name} (${domain})? Its web pod is away meanwhile.`;
        if (!yes && !(await output.confirm(question, { signal }))) return untouched(name);
        if (serving && replace === undefined) {
          const again =
            `${domain} is serving visitors. All that is not in ${from} will be gone: ` +
            "its database and its state are replaced.";
          const option = `--overwrite ${domain} too, after a backup of what is there`;
          const answer = { expected: domain, option, signal };
          if (!(await output.confirm(again, answer))) return untouched(name);
          replace = domain;
        }
        const result = await runStack(fleet, stack, async (progress) => {
          if (anew) {
            progress("up");
            await stackEngine(fleet, stack, options.policyPack, progress).up({ refresh: true });
            // What serves now is the empty site that was just made.
            replace = domain;
          }
          return restore(cluster, { ...chosen, replace }, progress, signal);
        }).catch((error: unknown) => {
          if (!(error instanceof Interrupted)) throw error;
          throw new Interrupted(
            "The web pod may be away, with no nightly backup, and a Job that was made goes on. When it has " +
              `ended: npm run fleet -- restore ${name} --from ${from} --overwrite ${domain}`,
          );
        });
        return {
          ok: result.ok,
          json: { stack: name, from, ...result },
          text: jobText(output, name, result),
        };
      }),
    );
};

/**
 * That a site of which nothing is left has its backup elsewhere.
 * @throws UsageError when it is to come from the backup volume, which is gone as well
 */
function assertFromAway({ from }: ChosenBackup, stack: string, { backup }: Settings): void {
  const gone = `nothing of ${stack} is in its cluster, its backup volume neither`;
  if (!backup.offsite) {
    throw new UsageError(
      `${gone}, and matomo:backup.offsite states no other place. Deploy it, and bring a backup onto its ` +
        "volume: docs/operations.md, After the loss of a whole cluster",
    );
  }
  if (!from) throw new UsageError(`${gone}; allowed: --from offsite, or offsite:NAME`);
}

/**
 * That no volume of Pulumi's own is left, which has the site's data and is bound to a claim that is gone.
 * @throws UsageError that says how the site comes back with them
 */
async function assertNoVolumes(cluster: Cluster, stack: string): Promise<void> {
  const left = await volumesLeft(cluster);
  if (!left.length) return;
  throw new UsageError(
    `the volumes of ${stack} are still there, with its data: ${left.join(", ")}. Free them for new claims, and ` +
      `the site comes back without a restore:\n` +
      `kubectl patch pv ${left.join(" ")} -p '{"spec":{"claimRef":{"uid":null,"resourceVersion":null}}}'\n` +
      `pulumi up --stack ${stack} --refresh --run-program`,
  );
}

function untouched(stack: string) {
  return { ok: false, json: { stack, ok: false }, text: `${stack}: nothing was touched` };
}
