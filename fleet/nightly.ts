/**
 * The nightly backup, held as long as a restore has the site apart: a run of it would give the backup
 * volume another group while the restore reads there, and back up half a site.
 */
import { NAMES } from "../components/labels";
import type { Cluster } from "./cluster";
import { assertNoneRuns, readCronJob } from "./jobs";
import { MERGE, ownPatch } from "./patch";

/** On the CronJob while a restore holds it: one that somebody else has suspended stays so. */
const HELD = "matomo-fleet/held-by";

/**
 * Lets no run begin, also after this command was cut short.
 * @throws UsageError while one runs, with the CronJob as it was
 */
export async function holdBackups(cluster: Cluster): Promise<void> {
  const { spec } = await readCronJob(cluster, NAMES.backup);
  if (!spec!.suspend) await patch(cluster, "restore");
  try {
    await assertNoneRuns(cluster, ["backup"]);
  } catch (error) {
    // What was suspended before is another one's: the restore's that runs, for one.
    if (!spec!.suspend) await patch(cluster, null);
    throw error;
  }
}

/** Lets them begin again; one that was due within the last hour does so now, and waits for the web pod. */
export async function releaseBackups(cluster: Cluster): Promise<void> {
  const { metadata } = await readCronJob(cluster, NAMES.backup);
  if (metadata!.annotations?.[HELD]) await patch(cluster, null);
}

async function patch({ batch }: Cluster, heldBy: "restore" | null): Promise<void> {
  const metadata = { annotations: { [HELD]: heldBy } };
  const body = { metadata, spec: { suspend: heldBy !== null } };
  await batch.patchNamespacedCronJob(ownPatch(NAMES.backup, body), MERGE);
}
