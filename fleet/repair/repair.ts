/**
 * Makes lost volumes anew, step by step. Each step looks before it acts: interrupted anywhere and run
 * again, the repair goes on where it was, by its journal.
 *
 * The `up` is the fleet's own, with its policy pack. Before anything is touched its preview has to be
 * one that replaces and deletes nothing; afterwards the only thing new to it is what was lost.
 */
import { NAMES, NAMESPACE } from "../../components/labels";
import { ROLLOUT_SECONDS } from "../../components/pods";
import type { Engine } from "../adoption/adopt";
import type { JournalFile } from "../adoption/journal";
import type { Deployment } from "../adoption/state";
import { listBackups } from "../backups";
import type { Cluster } from "../cluster";
import { UsageError } from "../errors";
import { type JobResult, runCronJob } from "../jobs";
import { restore, takeWebAway } from "../restore";
import type { Progress } from "../run";
import { scaleDatabase } from "../scale";
import { awaitObjects } from "../watch";
import { awaitPods, isReady } from "../web-pods";
import type { Finding } from "./judge";
import { type LostClaim, release } from "./release";
import { withoutGone } from "./state";

export type What = "backup" | "data";

/** Claims of each kind of volume: database and state are one site, and come back together. */
export const CLAIMS: Record<What, string[]> = {
  backup: [NAMES.backupClaim],
  data: [NAMES.dataClaim, NAMES.databaseClaim],
};

/** What a repair has begun; the state as it was before is in it. */
export interface RepairJournal {
  started: string;
  finished?: string;
  what: What;
  lost: LostClaim[];
  /** Name of the backup that comes back. */
  backup?: string;
  /** The stack's state before; its secrets are encrypted. */
  state: Deployment;
}

export interface RepairArgs {
  cluster: Cluster;
  engine: Engine;
  journal: JournalFile<RepairJournal>;
  progress: Progress;
  signal: AbortSignal;
}

/**
 * The newest proven backup, which is all that a lost data volume can come back from.
 * @throws UsageError when there is none
 */
export async function newestBackup(
  { cluster, progress, signal }: RepairArgs,
  backupVolume: Finding,
): Promise<string> {
  if (backupVolume.verdict !== "healthy") {
    throw new UsageError(
      `the backup's volume is ${backupVolume.verdict} too (${backupVolume.evidence.join("; ")}). ` +
        "Nothing was touched: without a proven backup there is nothing that the data could come back from",
    );
  }
  progress("looks for the newest proven backup");
  const { backups } = await listBackups(cluster, progress, signal);
  const newest = backups.at(-1);
  if (newest) return newest.name;
  throw new UsageError(
    "there is no proven backup. Nothing was touched: the data could not come back from anything",
  );
}

/**
 * Begins a repair: makes sure that the engine can end it, and saves the state.
 * @throws Failure, with nothing touched
 */
export async function begin(
  { engine, journal, progress }: RepairArgs,
  begun: Pick<RepairJournal, "what" | "lost" | "backup">,
): Promise<RepairJournal> {
  const state = await engine.exportState();
  progress("preview: what is not lost must stay");
  const { steps } = await engine.preview();
  const harmful = steps.filter(({ op }) => /replace|delete/.test(op));
  if (harmful.length) {
    const list = harmful.map(({ op, type, name }) => `${op} ${type} ${name}`).join(", ");
    throw new UsageError(
      `the stack's next up would do more than that (${list}). Nothing was touched: deploy it first`,
    );
  }
  const entry: RepairJournal = { ...begun, started: new Date().toISOString(), state };
  progress(`saves the state: ${journal.path}`);
  await journal.write(entry);
  return entry;
}

/** Makes the backup's volume anew and backs up at once. */
export async function repairBackup(args: RepairArgs, journal: RepairJournal): Promise<JobResult> {
  await makeAnew(args, journal);
  const what = { name: NAMES.backup, component: "backup", word: "repair" };
  const result = await runCronJob(args.cluster, what, args.progress, args.signal);
  if (result.ok) await finish(args, journal);
  return result;
}

/** Makes the data's volumes anew and brings the backup back into them. */
export async function repairData(
  args: RepairArgs,
  journal: RepairJournal,
  domain: string,
): Promise<JobResult> {
  const { cluster, progress, signal } = args;
  await takeWebAway(cluster, progress, signal);
  const databaseIsLost = journal.lost.some(({ name }) => name === NAMES.databaseClaim);
  if (databaseIsLost) {
    progress("the database goes");
    await scaleDatabase(cluster, 0);
    const gone = "no pod of the database";
    await awaitPods(cluster, "mariadb", gone, ROLLOUT_SECONDS, signal, (pods) => !pods.length);
  }
  await makeAnew(args, journal);
  progress("the database comes");
  await scaleDatabase(cluster, 1);
  const ready = "a ready database";
  await awaitPods(cluster, "mariadb", ready, ROLLOUT_SECONDS, signal, (pods) => pods.some(isReady));
  const options = { backup: journal.backup!, replace: domain };
  const result = await restore(cluster, options, progress, signal);
  if (result.ok) await finish(args, journal);
  return result;
}

async function makeAnew(args: RepairArgs, { lost }: RepairJournal): Promise<void> {
  const { cluster, engine, progress, signal } = args;
  for (const claim of lost) {
    progress(`takes claim ${claim.name} away`);
    await release(cluster, claim, signal);
  }
  progress("takes what is gone out of the state");
  const names = lost.map(({ name }) => name);
  const state = await engine.exportState();
  const handles = lost.flatMap(({ lostVolume }) => lostVolume ?? []);
  const next = withoutGone(state, { live: await liveUids(cluster), lost: handles });
  if (next !== state) await engine.importState(next);
  progress("up");
  await engine.up();
  await awaitBound(args, names);
}

async function liveUids({ core }: Cluster): Promise<string[]> {
  const [claims, volumes] = await Promise.all([
    core.listNamespacedPersistentVolumeClaim({ namespace: NAMESPACE }),
    core.listPersistentVolume(),
  ]);
  return [...claims.items, ...volumes.items].map(({ metadata }) => metadata!.uid!);
}

/** An `up` that found the claims in its state has made nothing. */
async function awaitBound({ cluster, signal }: RepairArgs, names: string[]): Promise<void> {
  await awaitObjects(
    cluster,
    {
      path: `/api/v1/namespaces/${NAMESPACE}/persistentvolumeclaims`,
      list: () => cluster.core.listNamespacedPersistentVolumeClaim({ namespace: NAMESPACE }),
    },
    (claims) =>
      names.every((name) =>
        claims.some(({ metadata, status }) => metadata!.name === name && status?.phase === "Bound"),
      ) || undefined,
    { what: `${names.join(" and ")} bound`, seconds: 120, signal },
  );
}

async function finish({ journal: file }: RepairArgs, journal: RepairJournal): Promise<void> {
  await file.write({ ...journal, finished: new Date().toISOString() });
  await file.archive(journal);
}
