/**
 * Back to an older Matomo, and to the backup that was taken of it: an upgrade of the schema has no other
 * way back. What came in since goes into a backup of its own first.
 *
 * The stack's settings state the version; the live Deployment gets its image here, beside the data of that
 * version, because an `up` refuses a version older than the one that wrote the data. The `up` that follows
 * finds both as it wants them. Interrupted anywhere and run again, it goes on by its journal.
 */
import { NAMES } from "../components/labels";
import { survey } from "../components/live";
import { type Settings, siteImages, wantedVersion } from "../components/settings";
import {
  compareVersions,
  podVersion,
  VERSION_ANNOTATION,
  versionAnnotation,
} from "../components/versions";
import { backUp } from "./backup-run";
import { type Backup, listBackups } from "./backups";
import type { Cluster } from "./cluster";
import type { Engine } from "./engine";
import { Failure, UsageError } from "./errors";
import type { JournalFile } from "./journal";
import type { OperationReport } from "./operation";
import { ownPatch, STRATEGIC } from "./patch";
import { bringWebBack, replaceSite } from "./restore";
import type { Progress } from "./run";
import { findWeb } from "./web-pods";

/** What a rollback has begun. */
export interface RollbackJournal {
  started: string;
  /** Versions of Matomo. */
  from: string;
  to: string;
  /** The backup that comes back. */
  backup: Pick<Backup, "name" | "actions">;
  /** Of what came in since: the backup that was made of it; null where none was wanted. */
  exported?: Pick<Backup, "name" | "actions"> | null;
  /** The backup is in its place. From then on the site records again: it is never restored twice. */
  restored?: boolean;
}

export interface RollbackArgs {
  cluster: Cluster;
  engine: Engine;
  journal: JournalFile<RollbackJournal>;
  progress: Progress;
  signal: AbortSignal;
}

/**
 * What a rollback to the version of the settings would bring back.
 * @throws UsageError when that version is not older than the live one, or there is no backup of it
 */
export async function planRollback(
  settings: Settings,
  { cluster, progress, signal }: Omit<RollbackArgs, "engine" | "journal">,
): Promise<RollbackJournal> {
  const [{ deployed }, web] = await Promise.all([survey(cluster.kubeconfig), findWeb(cluster)]);
  const versions = [deployed.matomo, podVersion(web?.spec?.template ?? {})];
  const from = versions
    .filter((one) => one !== undefined)
    .sort(compareVersions)
    .at(-1);
  if (!from) throw new UsageError("there is no live Matomo to roll back: deploy the stack first");
  const mariadb = wantedVersion(settings, "mariadb");
  if (deployed.mariadb && compareVersions(mariadb, deployed.mariadb) < 0) {
    throw new UsageError(
      `matomo:mariadb.version: found "${mariadb}"; allowed: ${deployed.mariadb} or newer, because no ` +
        "MariaDB reads the files of a newer one. Matomo alone is rolled back",
    );
  }
  const { backups } = await listBackups(cluster, progress, signal);
  const to = wantedVersion(settings, "matomo");
  const older = backups.filter(({ matomo }) => compareVersions(matomo, from) < 0);
  const there = older.map(({ name, matomo }) => `${matomo} (${name})`).join(", ");
  const known = there
    ? `proven backups of older ones: ${there}`
    : "no older one has a proven backup";
  if (compareVersions(to, from) >= 0) {
    throw new UsageError(
      `matomo:matomo.version: found "${to}"; allowed: one before ${from}, which is live. Set the stack ` +
        `back to the version that it had (${known}), and run this again`,
    );
  }
  const backup = older.filter(({ matomo }) => matomo === to).at(-1);
  if (!backup) throw new UsageError(`there is no proven backup of Matomo ${to}; ${known}`);
  return { started: new Date().toISOString(), from, to, backup };
}

/**
 * The rollback that was begun and goes on now, if there is one.
 * @throws UsageError when the settings state another version by now
 */
export async function unfinishedRollback(
  settings: Settings,
  file: JournalFile<RollbackJournal>,
): Promise<RollbackJournal | undefined> {
  const left = await file.read();
  const to = wantedVersion(settings, "matomo");
  if (!left || left.to === to) return left;
  throw new UsageError(
    `the rollback of ${left.started} to Matomo ${left.to} has not ended, and the settings state ${to}: set ` +
      `matomo:matomo.version to ${left.to} and run this again, or remove ${file.path}`,
  );
}

/**
 * Does what was planned, or what is left of it.
 * @throws Failure when what came in since cannot be backed up: nothing was touched then
 */
export async function rollBack(
  args: RollbackArgs,
  settings: Settings,
  begun: RollbackJournal,
  { exports }: { exports: boolean },
): Promise<{ journal: RollbackJournal; report: OperationReport }> {
  const { cluster, engine, progress, signal } = args;
  const journal = { ...begun };
  if (journal.exported === undefined) {
    journal.exported = exports ? await exportSince(args, journal) : null;
    await args.journal.write(journal);
  }
  if (!journal.restored) {
    const options = { backup: journal.backup.name, replace: settings.domain };
    const { ok, said } = await replaceSite(cluster, options, progress, signal);
    if (!ok) {
      await args.journal.archive(journal);
      await bringWebBack(cluster, progress, signal);
      throw new Failure(`the site is as it was, of Matomo ${journal.from}: ${said}`);
    }
    journal.restored = true;
    await args.journal.write(journal);
  }
  await setImage(cluster, settings);
  await bringWebBack(cluster, progress, signal);
  progress("up");
  const report = await engine.up();
  await args.journal.archive(journal);
  return { journal, report };
}

/** Backs up what is there now; the backup that is to come back stays, however little room there is. */
async function exportSince(
  { cluster, progress, signal }: RollbackArgs,
  { backup, from }: RollbackJournal,
): Promise<Pick<Backup, "name" | "actions">> {
  progress(`a proven backup of ${from}, with what came in since`);
  const env = [{ name: "KEEP_BACKUP", value: backup.name }];
  const { ok, said } = await backUp(cluster, { word: "rollback", env }, progress, signal);
  if (!ok) {
    throw new Failure(
      `what came in since ${backup.name} cannot be backed up, so nothing was touched: ${said}\n` +
        "A site that cannot be backed up any more is rolled back without it by --no-export",
    );
  }
  const { backups } = await listBackups(cluster, progress, signal);
  const { name, actions } = backups.at(-1)!;
  return { name, actions };
}

/** The image that the settings state, in each container of the web pod that has the live one. */
async function setImage(cluster: Cluster, settings: Settings): Promise<void> {
  const web = await findWeb(cluster);
  const { containers, initContainers = [] } = web!.spec!.template.spec!;
  const live = containers[0].image;
  const image = siteImages(settings).matomo;
  const changed = (all: typeof containers) =>
    all.filter((one) => one.image === live).map(({ name }) => ({ name, image }));
  const stated = versionAnnotation(image, wantedVersion(settings, "matomo"));
  const template = {
    metadata: { annotations: { [VERSION_ANNOTATION]: null, ...stated } },
    spec: { containers: changed(containers), initContainers: changed(initContainers) },
  };
  const body = { spec: { template } };
  await cluster.apps.patchNamespacedDeployment(ownPatch(NAMES.web, body), STRATEGIC);
}
