/**
 * What is on a stack's backup volume: the proven backups, as their manifests say, and what is none.
 *
 * Only a pod can read the volume: a short one like the nightly backup's, that prints what is there and is
 * gone. To list, it has the volume read-only.
 */
import type { V1CronJob, V1Job } from "@kubernetes/client-node";
import { roomForBackup } from "../components/backup-size";
import { Refusal } from "../components/failure";
import { NAMES, NAMESPACE } from "../components/labels";
import type { Cluster } from "./cluster";
import { Failure } from "./errors";
import { assertNoneRuns, type JobResult, jobName, ONCE, readCronJob, runJob } from "./jobs";
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

export interface BackupVolume {
  /** Oldest first. */
  backups: Backup[];
  others: OtherEntry[];
  bytes: number;
  free: number;
}

interface Manifest {
  site: string;
  matomo: string;
  mariadb: string;
  files: Record<string, { bytes: number }>;
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
  await assertNoneRuns(cluster, ["backup"]);
  const name = jobName(NAMES.backup, word);
  const job = jobOf(await readCronJob(cluster, NAMES.backup), name);
  try {
    return await runJob(cluster, job, progress, signal);
  } finally {
    const where = { name, namespace: NAMESPACE, propagationPolicy: "Background" };
    await cluster.batch.deleteNamespacedJob(where).catch(() => undefined);
  }
}

/** The Job that lists, with the volume read-only. */
export function listJob(cronJob: V1CronJob, name: string): V1Job {
  return volumeJob(cronJob, name, { container: "list", words: ["list-backups.sh"], writes: false });
}

/** The Job that removes what has these names. */
export function removeJob(cronJob: V1CronJob, name: string, names: string[]): V1Job {
  const words = ["remove-backups.sh", ...names];
  return volumeJob(cronJob, name, { container: "remove", words, writes: true });
}

/** A Job without the CronJob as its owner, which would take it for a backup. */
function volumeJob(
  cronJob: V1CronJob,
  name: string,
  { container: called, words, writes }: { container: string; words: string[]; writes: boolean },
): V1Job {
  const { template } = structuredClone(cronJob.spec!.jobTemplate.spec!);
  const pod = template.spec!;
  const container = pod.containers.find((one) => one.name === "backup");
  const [script, ...rest] = words;
  const path = container?.command?.[1]?.replace(/backup\.sh$/, script);
  if (!container || !path?.endsWith(script)) {
    throw new Refusal(
      `CronJob ${NAMES.backup} is not this program's: it has no ${script}. Deploy the stack first.`,
    );
  }
  const needed = ["backup", "scripts", "tmp"];
  const mounts = container.volumeMounts!.filter((mount) => needed.includes(mount.name));
  pod.volumes = pod.volumes!.filter((volume) => needed.includes(volume.name));
  pod.initContainers = [];
  pod.containers = [
    {
      ...container,
      name: called,
      command: ["bash", path, ...rest],
      env: [],
      volumeMounts: mounts.map((mount) =>
        writes || mount.name === "tmp" ? mount : { ...mount, readOnly: true },
      ),
    },
  ];
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { name, namespace: NAMESPACE, labels: cronJob.metadata!.labels },
    spec: { ...ONCE, activeDeadlineSeconds: DEADLINE, template },
  };
}

/**
 * What list-backups.sh printed.
 * @throws Failure when it did not come to its end
 */
export function parseList(log: string[]): BackupVolume {
  const lines = log.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
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
  return { backups, others, bytes: volume.bytes, free: volume.free };
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
