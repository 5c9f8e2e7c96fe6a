/**
 * Makes lost volumes anew, step by step. Each step looks before it acts: interrupted anywhere and run
 * again, the repair goes on where it was, by its journal.
 *
 * The `up` is the fleet's own, with its policy pack. Before a pod or a claim is touched its preview has
 * to be one that replaces and deletes nothing: the only thing new to it is what was lost.
 */
import { NAMES, NAMESPACE } from "../../components/labels";
import { ROLLOUT_SECONDS } from "../../components/pods";
import { backUp } from "../backup-run";
import { listBackups } from "../backups";
import type { Cluster } from "../cluster";
import type { Deployment, Engine } from "../engine";
import { UsageError } from "../errors";
import { assertNoneRuns, type JobResult } from "../jobs";
import type { JournalFile } from "../journal";
import { notKept, type OperationReport } from "../operation";
import { bringWebBack, readWeb, replaceSite, takeWebAway } from "../restore";
import type { Progress } from "../run";
import { scaleDatabase } from "../scale";
import { awaitObjects } from "../watch";
import { awaitPods, isReady } from "../web-pods";
import type { Facts, Finding } from "./judge";
import { GO_ON, type LostClaim, OBJECTS_SECONDS, release } from "./release";
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
  what: What;
  lost: LostClaim[];
  /** Name of the backup that comes back. */
  backup?: string;
  /** How the restore ended. From then on the site records again: it is never restored twice. */
  restored?: JobResult;
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
 * Whether a repair that was begun is the one of what is lost now. A claim that was lost since is a
 * repair of its own: the backup of then is not the newest any more.
 */
export function isOf({ lost }: Pick<RepairJournal, "lost">, now: Facts[]): boolean {
  return now.every(({ claim, found }) =>
    lost.some(({ name, uid }) => name === claim && (!found || found.uid === uid)),
  );
}

/**
 * The repair that was begun and goes on now, if there is one.
 * @throws UsageError when the site has come back without it: what it recorded since would be lost
 */
export async function unfinished(
  cluster: Cluster,
  file: JournalFile<RepairJournal>,
  now: Facts[],
): Promise<RepairJournal | undefined> {
  const left = await file.read();
  if (!left || !isOf(left, now)) return undefined;
  const isOpen = left.what === "backup" || left.restored || now.length;
  if (isOpen || !(await readWeb(cluster)).serving) return left;
  throw new UsageError(
    `nothing is lost, and the site serves: the repair of ${left.started} was ended by other means. ` +
      `Remove ${file.path}`,
  );
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

/** Begins a repair: saves the state. */
export async function begin(
  { engine, journal, progress }: RepairArgs,
  begun: Pick<RepairJournal, "what" | "lost" | "backup">,
): Promise<RepairJournal> {
  const state = await engine.exportState();
  const { resources = [] } = state.deployment;
  if (!resources.some(({ type }) => type === "kubernetes:core/v1:Namespace")) {
    throw new UsageError(
      "the stack's state does not have the site. Nothing was touched: an up would not bring the claim " +
        "back. Adopt the site first: npm run fleet -- adopt STACK",
    );
  }
  const left = await journal.read();
  if (left) await journal.archive(left);
  const entry: RepairJournal = { ...begun, started: new Date().toISOString(), state };
  progress(`saves the state: ${journal.path}`);
  await journal.write(entry);
  return entry;
}

/** Makes the backup's volume anew and backs up at once. */
export async function repairBackup(args: RepairArgs, journal: RepairJournal): Promise<JobResult> {
  await forget(args, journal);
  await makeAnew(args, journal);
  const result = await backUp(args.cluster, { word: "repair" }, args.progress, args.signal);
  if (result.ok) await args.journal.archive(journal);
  return result;
}

/** Makes the data's volumes anew and brings the backup back into them. */
export async function repairData(
  args: RepairArgs,
  journal: RepairJournal,
  domain: string,
): Promise<JobResult> {
  const restored = journal.restored ?? (await restoreAnew(args, journal, domain));
  await args.journal.write({ ...journal, restored });
  await bringWebBack(args.cluster, args.progress, args.signal);
  await args.journal.archive(journal);
  return restored;
}

async function restoreAnew(
  args: RepairArgs,
  journal: RepairJournal,
  domain: string,
): Promise<JobResult> {
  const { cluster, progress, signal } = args;
  // The restore of a run that was cut short: it works in the database that would be taken away.
  await assertNoneRuns(cluster, ["backup"]);
  await forget(args, journal);
  await takeWebAway(cluster, progress, signal);
  const databaseIsLost = journal.lost.some(({ name }) => name === NAMES.databaseClaim);
  if (databaseIsLost) {
    progress("the database goes");
    await scaleDatabase(cluster, 0);
    const gone = `no pod of the database; ${GO_ON}`;
    await awaitPods(cluster, "mariadb", gone, ROLLOUT_SECONDS, signal, (pods) => !pods.length);
  }
  await makeAnew(args, journal);
  progress("the database comes");
  await scaleDatabase(cluster, 1);
  const ready = `a ready database; ${GO_ON}`;
  await awaitPods(cluster, "mariadb", ready, ROLLOUT_SECONDS, signal, (pods) => pods.some(isReady));
  const options = { backup: journal.backup!, replace: domain };
  return replaceSite(cluster, options, progress, signal);
}

/**
 * Takes what is lost out of the state, unless the next `up` would replace or delete anything else. Only
 * then can that be told: what a refresh has seen to be gone makes a preview fail at what is protected.
 * @throws UsageError, with the state as it was
 */
async function forget(args: RepairArgs, journal: RepairJournal): Promise<void> {
  const { cluster, engine, progress } = args;
  const lost = journal.lost.flatMap(({ uid, volume }) => [uid, volume?.uid]);
  const live = (await liveUids(cluster)).filter((uid) => !lost.includes(uid));
  const state = await engine.exportState();
  const handles = journal.lost.flatMap(({ lostVolume }) => lostVolume ?? []);
  const next = withoutGone(state, { live, lost: handles });
  if (next === state) return;
  progress("takes what is lost out of the state");
  await engine.importState(next);
  try {
    progress("preview: what is not lost must stay");
    assertKept(await engine.preview());
  } catch (error) {
    await engine.importState(state);
    await args.journal.archive(journal);
    throw error;
  }
}

function assertKept(report: OperationReport): void {
  const list = notKept(report);
  if (!list) return;
  throw new UsageError(
    `the stack's next up would do more than that (${list}). Nothing was touched: deploy it first`,
  );
}

async function makeAnew(args: RepairArgs, { lost }: RepairJournal): Promise<void> {
  const { cluster, engine, progress, signal } = args;
  for (const claim of lost) {
    progress(`takes claim ${claim.name} away`);
    await release(cluster, claim, signal);
  }
  progress("up");
  await engine.up();
  await awaitBound(
    args,
    lost.map(({ name }) => name),
  );
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
    { what: `${names.join(" and ")} bound; ${GO_ON}`, seconds: OBJECTS_SECONDS, signal },
  );
}
