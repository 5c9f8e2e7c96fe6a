/** `fleet cleanup-helm`: old Helm revision records of every release; a dry run unless told. */
import { ApiException } from "@kubernetes/client-node";
import { connect } from "../cluster";
import { reason } from "../errors";
import { positive, type Register } from "../fleet";
import { listRevisions, superfluous } from "../helm";
import { count, table } from "../report";
import { assertSomeDone, runStacks } from "../run";
import { chooseStacks, readSettings } from "../stacks";

interface Options {
  all?: boolean;
  keep: number;
  yes?: boolean;
}

export const registerCleanupHelm: Register = (program, run) => {
  const command = program
    .command("cleanup-helm")
    .description(
      "removes old revision records of every Helm release; without --yes only lists them",
    )
    .argument("[stack...]", "stacks, whose whole clusters are cleaned")
    .option("--all", "every stack but local")
    .option("--keep <n>", "newest records of each release to keep", positive, 3)
    .option("--yes", "remove them; the deployed revision always stays")
    .action((names: string[], { all, keep, yes }: Options) =>
      run(command, async (fleet) => {
        const stacks = await chooseStacks(fleet, names, all);
        const outcomes = await runStacks(fleet, stacks, async (stack, progress) => {
          const settings = await readSettings(fleet, stack);
          const cluster = await connect(fleet, settings.cluster);
          const revisions = superfluous(await listRevisions(cluster), keep);
          if (yes) {
            for (const { namespace, secret } of revisions) {
              fleet.interrupted.throwIfAborted();
              progress(`removes ${namespace}/${secret}`);
              await cluster.core
                .deleteNamespacedSecret({ name: secret, namespace })
                .catch((error: unknown) => {
                  // Helm itself may have pruned it meanwhile.
                  if (!(error instanceof ApiException) || error.code !== 404) throw error;
                });
            }
          }
          return revisions;
        });
        assertSomeDone(outcomes);
        const rows = outcomes.flatMap(({ stack, value = [] }) =>
          value.map(({ namespace, release, revision, status }) => [
            ...[stack, namespace, release, String(revision), status],
          ]),
        );
        const failed = outcomes.flatMap(({ stack, error }) =>
          error === undefined ? [] : [`${stack} FAILED: ${reason(error)}`],
        );
        const did = yes ? "removed" : "would be removed: say --yes";
        return {
          ok: failed.length === 0,
          json: {
            removed: yes === true,
            stacks: outcomes.map(({ stack, value, error }) =>
              error === undefined ? { stack, records: value } : { stack, error: reason(error) },
            ),
          },
          text: [
            ...(rows.length
              ? [table(["STACK", "NAMESPACE", "RELEASE", "REVISION", "STATUS"], rows)]
              : []),
            `${count(rows.length, "record")} ${did}`,
            ...failed,
          ].join("\n"),
        };
      }),
    );
};
