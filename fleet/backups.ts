/**
 * The proven backups on a stack's backup volume, as their manifests say.
 *
 * Only a pod can read the volume: a short one like the nightly backup's, with the volume read-only,
 * that prints the manifests and is gone.
 */
import type { V1CronJob, V1Job } from "@kubernetes/client-node";
import { Refusal } from "../components/failure";
import { NAMES, NAMESPACE } from "../components/labels";
import type { Cluster } from "./cluster";
import { Failure } from "./errors";
import { assertNoneRuns, jobName, ONCE, readCronJob, runJob } from "./jobs";
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
  tables: number;
  rows: number;
  /** What the site's user may not read or define, as "kind name": no restore brings it. */
  leftOut: string[];
  /** How long each part took, in milliseconds. */
  milliseconds: { dump: number; restore: number; proof: number };
}

export interface BackupVolume {
  backups: Backup[];
  bytes: number;
  free: number;
}

interface Manifest {
  site: string;
  matomo: string;
  mariadb: string;
  files: Record<string, { bytes: number }>;
  milliseconds: Backup["milliseconds"];
  /** Not in those of an older program. */
  leftOut?: string[];
  tables: { rows: number }[];
}

/** Longest run of the list, in seconds: the volume has to be attached first, from another node at worst. */
const DEADLINE = 600;

/** Lists the backups of a stack's cluster, oldest first. */
export async function listBackups(
  cluster: Cluster,
  progress: Progress,
  signal: AbortSignal,
): Promise<BackupVolume> {
  await assertNoneRuns(cluster, ["backup"]);
  const name = jobName(NAMES.backup, "list");
  const job = listJob(await readCronJob(cluster, NAMES.backup), name);
  try {
    const { ok, said, log } = await runJob(cluster, job, progress, signal);
    if (!ok) throw new Failure(`the backups cannot be listed: ${said}`);
    return parseList(log);
  } finally {
    const where = { name, namespace: NAMESPACE, propagationPolicy: "Background" };
    await cluster.batch.deleteNamespacedJob(where).catch(() => undefined);
  }
}

/** The Job that lists: without the CronJob as its owner, which would take it for a backup. */
export function listJob(cronJob: V1CronJob, name: string): V1Job {
  const { template } = structuredClone(cronJob.spec!.jobTemplate.spec!);
  const pod = template.spec!;
  const container = pod.containers.find((one) => one.name === "backup");
  const script = container?.command?.[1]?.replace(/backup\.sh$/, "list-backups.sh");
  if (!container || !script?.endsWith("list-backups.sh")) {
    throw new Refusal(
      `CronJob ${NAMES.backup} is not this program's: it has no list-backups.sh. Deploy the stack first.`,
    );
  }
  const needed = ["backup", "scripts", "tmp"];
  const mounts = container.volumeMounts!.filter((mount) => needed.includes(mount.name));
  pod.volumes = pod.volumes!.filter((volume) => needed.includes(volume.name));
  pod.initContainers = [];
  pod.containers = [
    {
      ...container,
      name: "list",
      command: ["bash", script],
      env: [],
      volumeMounts: mounts.map((mount) => ({ ...mount, readOnly: mount.name !== "tmp" })),
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
      tables: manifest.tables.length,
      rows: manifest.tables.reduce((sum, { rows }) => sum + rows, 0),
      leftOut: manifest.leftOut ?? [],
      milliseconds: manifest.milliseconds,
    }));
  return { backups, bytes: volume.bytes, free: volume.free };
}

/** The time in a backup's name, as ISO 8601. */
function timeOf(name: string): string {
  return name.replace(/T(\d\d)(\d\d)(\d\d)Z$/, "T$1:$2:$3Z");
}
