/**
 * The backups of a stack: what is on its backup volume, the proven ones as their manifests say and what is
 * none, and those off-site.
 *
 * Only a pod can read the volume, and has the key of the repository: a short one like the nightly backup's,
 * that prints what is there and is gone. To list, it has the volume read-only.
 */
import type { V1Container, V1CronJob, V1Job } from "@kubernetes/client-node";
import { roomForBackup } from "../components/backup-size";
import { NAMES, NAMESPACE } from "../components/labels";
import type { Cluster } from "./cluster";
import { Failure } from "./errors";
import { assertNoneRuns, type JobResult, jobName, ONCE, readCronJob, runJob } from "./jobs";
import { commandOf, type NightlyPod, nightlyPod, OFFSITE_SECRET } from "./nightly-pod";
import type { Progress } from "./run";

/** A backup that was restored and compared before it was published. */
export interface Backup {
  /** Its directory on the volume: the UTC time at which it was published. */
  name: string;
  time: string;
  site: string;
  matomo: string;
  mariadb: string;
  /** Compressed size of its files. */
  bytes: number;
  /** Size of the database that it was made of; those of an older program do not say it. */
  databaseBytes?: number;
  tables: number;
  rows: number;
  /** What visitors did: page views, downloads, events. */
  actions: number;
  /** What the site's user may not read or define, as "kind name": no restore brings it. */
  leftOut: string[];
  /** How long each part took, in milliseconds. */
  milliseconds: { dump: number; restore: number; proof: number };
}

/** What is no proven backup: an older chart left it, or a person. */
export interface OtherEntry {
  name: string;
  bytes: number;
  /** When it was last changed, ISO 8601. */
  changed: string;
}

/** A backup that was read back from the off-site repository, as the repository says. */
export type OffsiteBackup = Omit<Backup, "leftOut" | "milliseconds" | "actions" | "databaseBytes">;

/** The off-site repository of a stack. */
export interface Offsite {
  /** Its address. */
  repository: string;
  backups: OffsiteBackup[];
  /** Why it cannot be read; what it has is not known then. */
  error?: string;
}

export interface BackupVolume {
  /** Oldest first. */
  backups: Backup[];
  others: OtherEntry[];
  bytes: number;
  free: number;
  /** Not where the stack has no such place. */
  offsite?: Offsite;
}

export interface Manifest {
  site: string;
  matomo: string;
  mariadb: string;
  files: Record<string, { bytes: number; sha256: string }>;
  milliseconds: Backup["milliseconds"];
  /** Not in those of an older program, as what follows. */
  databaseBytes?: number;
  leftOut?: string[];
  tables: { name: string; rows: number }[];
}

const MIB = 1024 ** 2;
const DAY = 24 * 3600 * 1000;
/** Longest run of such a pod, in seconds: the volume has to be attached first, from another node at worst. */
const DEADLINE = 600;

/**
 * Lists what is on the backup volume of a stack's cluster.
 * @throws Failure when it cannot be read; UsageError while a backup is made
 */
export async function listBackups(
  cluster: Cluster,
  progress: Progress,
  signal: AbortSignal,
): Promise<BackupVolume> {
  const { ok, said, log } = await runOnVolume(cluster, listJob, "list", progress, signal);
  if (!ok) throw new Failure(`the backups cannot be listed: ${said}`);
  return parseList(log);
}

/**
 * Removes entries of the backup volume by their names, all or none, and lists what is left.
 * @throws Failure when none, or not all, was removed; UsageError while a backup is made
 */
export async function removeBackups(
  cluster: Cluster,
  names: string[],
  progress: Progress,
  signal: AbortSignal,
): Promise<BackupVolume> {
  const job = (cronJob: V1CronJob, name: string) => removeJob(cronJob, name, names);
  const { ok, said, log } = await runOnVolume(cluster, job, "remove", progress, signal);
  if (!ok) throw new Failure(`the backups cannot be removed: ${said}`);
  return parseList(log);
}

async function runOnVolume(
  cluster: Cluster,
  jobOf: (cronJob: V1CronJob, name: string) => V1Job,
  word: string,
  progress: Progress,
  signal: AbortSignal,
): Promise<JobResult> {
  return temporaryJob(cluster, jobOf, word, (job) => runJob(cluster, job, progress, signal));
}

/**
 * Works with a Job like the nightly one's, and takes it away however that ends.
 * @throws UsageError while a backup is made; what the work throws
 */
export async function temporaryJob<T>(
  cluster: Cluster,
  jobOf: (cronJob: V1CronJob, name: string) => V1Job,
  word: string,
  work: (job: V1Job) => Promise<T>,
): Promise<T> {
  await assertNoneRuns(cluster, ["backup"]);
  const name = jobName(NAMES.backup, word);
  const job = jobOf(await readCronJob(cluster, NAMES.backup), name);
  try {
    return await work(job);
  } finally {
    const where = { name, namespace: NAMESPACE, propagationPolicy: "Background" };
    await cluster.batch.deleteNamespacedJob(where).catch(() => undefined);
  }
}

/** The Job that lists, with the volume read-only. */
export function listJob(cronJob: V1CronJob, name: string): V1Job {
  const { spec, pod, backup, offsite } = nightlyPod(cronJob, "list-backups.sh");
  const list = { ...onVolume(backup, "list-backups.sh", ["backup", "scripts", "tmp"]), env: [] };
  return volumeJob(cronJob, name, { spec, pod }, [
    readOnly({ ...list, name: "list" }),
    ...(offsite
      ? [readOnly(onVolume(offsite, "list-offsite.sh", [OFFSITE_SECRET, "scripts", "tmp"]))]
      : []),
  ]);
}

/** The Job that removes what has these names. */
export function removeJob(cronJob: V1CronJob, name: string, names: string[]): V1Job {
  const { spec, pod, backup } = nightlyPod(cronJob, "remove-backups.sh");
  const container = onVolume(backup, "remove-backups.sh", ["backup", "scripts", "tmp"]);
  const command = [...container.command!, ...names];
  return volumeJob(cronJob, name, { spec, pod }, [
    { ...container, name: "remove", command, env: [] },
  ]);
}

/** A container of the nightly pod with another script, and no more mounted than that needs. */
export function onVolume(container: V1Container, script: string, needed: string[]): V1Container {
  const volumeMounts = container.volumeMounts!.filter((mount) => needed.includes(mount.name));
  return { ...container, command: commandOf(container, script), volumeMounts };
}

export function readOnly(container: V1Container): V1Container {
  const volumeMounts = container.volumeMounts!.map((mount) =>
    mount.name === "tmp" ? mount : { ...mount, readOnly: true },
  );
  return { ...container, volumeMounts };
}

/** A Job without the CronJob as its owner, which would take it for a backup. */
export function volumeJob(
  cronJob: V1CronJob,
  name: string,
  { spec, pod }: Pick<NightlyPod, "spec" | "pod">,
  containers: V1Container[],
): V1Job {
  const mounted = containers.flatMap(({ volumeMounts }) => volumeMounts!.map((one) => one.name));
  pod.initContainers = [];
  pod.containers = containers;
  pod.volumes = pod.volumes!.filter((volume) => mounted.includes(volume.name));
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { name, namespace: NAMESPACE, labels: cronJob.metadata!.labels },
    spec: { ...ONCE, activeDeadlineSeconds: DEADLINE, template: spec.template },
  };
}

/**
 * What list-backups.sh printed, and list-offsite.sh.
 * @throws Failure when it did not come to its end
 */
export function parseList(log: string[]): BackupVolume {
  const lines = parsed(log);
  const volume = lines.find((line) => line.volume)?.volume as BackupVolume | undefined;
  if (!volume) throw new Failure("the backups cannot be listed: the pod's log is not whole");
  const backups = lines
    .filter((line) => line.manifest)
    .map(({ name, manifest }: { name: string; manifest: Manifest }): Backup => ({
      name,
      time: timeOf(name),
      site: manifest.site,
      matomo: manifest.matomo,
      mariadb: manifest.mariadb,
      bytes: Object.values(manifest.files).reduce((sum, { bytes }) => sum + bytes, 0),
      databaseBytes: manifest.databaseBytes,
      tables: manifest.tables.length,
      rows: manifest.tables.reduce((sum, { rows }) => sum + rows, 0),
      actions:
        manifest.tables.find(({ name }) => name.endsWith("log_link_visit_action"))?.rows ?? 0,
      leftOut: manifest.leftOut ?? [],
      milliseconds: manifest.milliseconds,
    }));
  const others = lines
    .filter((line) => line.other !== undefined)
    .map(({ other: name, bytes, changed }): OtherEntry => ({ name, bytes, changed }));
  const { bytes, free } = volume;
  const offsite = offsiteIn(lines);
  return { backups, others, bytes, free, ...(offsite && { offsite }) };
}

/** What list-offsite.sh printed; undefined when it did not run. */
export function parseOffsite(log: string[]): Offsite | undefined {
  return offsiteIn(parsed(log));
}

/** The lines of JSON among what a pod printed. */
function parsed(log: string[]) {
  return log.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
}

function offsiteIn(lines: ReturnType<typeof parsed>): Offsite | undefined {
  const repository = lines.find((line) => line.repository)?.repository;
  if (!repository) return undefined;
  return {
    repository: repository.name as string,
    backups: lines.filter((line) => line.offsite).map(offsiteBackup),
    ...(repository.error !== undefined && { error: repository.error as string }),
  };
}

/** What offsite.sh made tags of. */
function offsiteBackup({ offsite, tags }: { offsite: string; tags: string[] }): OffsiteBackup {
  const value = (key: string) =>
    tags.find((tag) => tag.startsWith(`${key}=`))?.slice(key.length + 1) ?? "";
  return {
    name: offsite,
    time: timeOf(offsite),
    site: value("site"),
    matomo: value("matomo"),
    mariadb: value("mariadb"),
    bytes: Number(value("bytes")),
    tables: Number(value("tables")),
    rows: Number(value("rows")),
  };
}

/**
 * For how many further nights the volume has room for a backup as large as the newest one, made as it was,
 * when what is older than the retention goes. Null when that never ends; undefined when nobody knows, as the
 * newest one does not say how large its database was, or there is none.
 */
export function nightsLeft(
  { backups, free }: Pick<BackupVolume, "backups" | "free">,
  retentionDays: number,
): number | null | undefined {
  const newest = backups.at(-1);
  if (newest?.databaseBytes === undefined) return undefined;
  const need = roomForBackup(newest.databaseBytes / MIB) * MIB;
  const kept = backups.map(({ bytes, time }) => ({ bytes, day: Date.parse(time) / DAY }));
  const first = kept.at(-1)!.day;
  let room = free;
  // When all that is there now has gone by its age, no further night differs from the one before.
  for (let night = 1; night <= retentionDays + 1; night++) {
    const day = first + night;
    while (kept.length > 1 && kept[0].day < day - retentionDays) room += kept.shift()!.bytes;
    if (room < need) return night - 1;
    kept.push({ bytes: newest.bytes, day });
    room -= newest.bytes;
  }
  return null;
}

/** Backups older than so many days, as the nightly one removes them: never the newest. */
export function olderThan(backups: Backup[], days: number, now = Date.now()): Backup[] {
  return backups.slice(0, -1).filter(({ time }) => Date.parse(time) < now - days * DAY);
}

/** The time in a backup's name, as ISO 8601. */
function timeOf(name: string): string {
  return name.replace(/T(\d\d)(\d\d)(\d\d)Z$/, "T$1:$2:$3Z");
}
