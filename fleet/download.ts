/**
 * A backup on a person's machine: its files come out of a pod of its own, each is compared with the
 * backup's manifest, and the manifest comes last. What is there is never fetched again: a file that was
 * cut short goes on where it was.
 */
import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import type { V1CronJob, V1Job } from "@kubernetes/client-node";
import { NAMESPACE } from "../components/labels";
import {
  type Manifest,
  onVolume,
  parseList,
  parseOffsite,
  readOnly,
  temporaryJob,
  volumeJob,
} from "./backups";
import type { ChosenBackup } from "./chosen-backup";
import type { Cluster } from "./cluster";
import { Failure, UsageError } from "./errors";
import { type Execute, executor, type Stream, streamer } from "./execute";
import { bytes } from "./format";
import { nightlyPod, OFFSITE_SECRET, offsiteOf } from "./nightly-pod";
import type { Progress } from "./run";
import { awaitObjects } from "./watch";

/** Longest run of the pod, in seconds; what is not there then goes on with the next one. */
const DEADLINE = 12 * 3600;
/** The volume may have to be attached first, from another node at worst; in seconds. */
const START = 600;
const CONTAINER = "download";
const MANIFEST = "manifest.json";
const SCRIPTS = "/opt/matomo/scripts";

/** What was brought. */
export interface Download {
  name: string;
  /** Absolute path. */
  folder: string;
  bytes: number;
}

/**
 * Brings a proven backup into `to`/NAME, readable by its owner alone.
 * @throws UsageError when there is no such backup; Failure when it cannot be brought, or is not what its
 *   manifest says; Interrupted
 */
export async function downloadBackup(
  cluster: Cluster,
  chosen: ChosenBackup,
  to: string,
  progress: Progress,
  signal: AbortSignal,
): Promise<Download> {
  const make = (cronJob: V1CronJob, job: string) => downloadJob(cronJob, job, chosen);
  return temporaryJob(cluster, make, "download", async (job) => {
    const { metadata } = await cluster.batch.createNamespacedJob({
      namespace: NAMESPACE,
      body: job,
    });
    progress(`${metadata!.name} made`);
    const pod = await runningPod(cluster, metadata!.name!, signal);
    const name = await nameOf(executor(cluster.config), pod, chosen);
    const source = new Source(streamer(cluster.config), pod, chosen, name, signal);
    const manifest = await source.text(MANIFEST);
    const folder = path.resolve(to, name);
    await fs.mkdir(folder, { recursive: true, mode: 0o700 });
    const { files } = JSON.parse(manifest) as Manifest;
    for (const [file, { bytes: size, sha256 }] of Object.entries(files)) {
      const wanted = { size, sha256, file: path.join(folder, path.basename(file)) };
      if (await isWhole(wanted)) continue;
      await bring(source, path.basename(file), wanted, progress);
    }
    await fs.writeFile(path.join(folder, MANIFEST), manifest, { mode: 0o600 });
    const sum = Object.values(files).reduce((total, one) => total + one.bytes, 0);
    return { name, folder, bytes: sum };
  });
}

/** The Job whose pod waits to be asked for files; of the volume, it has that read-only. */
export function downloadJob(cronJob: V1CronJob, name: string, { from }: ChosenBackup): V1Job {
  const script = scriptOf(from);
  const nightly = nightlyPod(cronJob, script);
  const container = from
    ? onVolume(offsiteOf(nightly), script, [OFFSITE_SECRET, "scripts", "tmp"])
    : onVolume(nightly.backup, script, ["backup", "scripts", "tmp"]);
  const waits = { ...readOnly(container), name: CONTAINER, command: ["sleep", String(DEADLINE)] };
  const job = volumeJob(cronJob, name, nightly, [waits]);
  job.spec!.activeDeadlineSeconds = DEADLINE;
  // The first process of a container is not ended by SIGTERM that it does not know.
  job.spec!.template.spec!.terminationGracePeriodSeconds = 1;
  return job;
}

const scriptOf = (from: ChosenBackup["from"]) => (from ? "list-offsite.sh" : "list-backups.sh");

async function runningPod(cluster: Cluster, job: string, signal: AbortSignal): Promise<string> {
  const labelSelector = `job-name=${job}`;
  return awaitObjects(
    cluster,
    {
      path: `/api/v1/namespaces/${NAMESPACE}/pods`,
      list: () => cluster.core.listNamespacedPod({ namespace: NAMESPACE, labelSelector }),
      labelSelector,
    },
    (pods) =>
      pods.find(({ status }) => status?.containerStatuses?.some(({ state }) => state?.running))
        ?.metadata?.name,
    { what: `a running pod of ${job}`, seconds: START, signal },
  );
}

/** Name of the backup that was asked for. */
async function nameOf(
  execute: Execute,
  pod: string,
  { backup, from }: ChosenBackup,
): Promise<string> {
  const shell = from ? "sh" : "bash";
  const said = await execute(pod, CONTAINER, [shell, `${SCRIPTS}/${scriptOf(from)}`]);
  const log = said.stdout.split("\n");
  const offsite = parseOffsite(log);
  if (said.code !== 0 || (from && (!offsite || offsite.error))) {
    throw new Failure(`the backups cannot be listed: ${offsite?.error ?? said.stderr.trim()}`);
  }
  const names = (from ? offsite! : parseList(log)).backups.map(({ name }) => name);
  const name = backup === "newest" ? names.at(-1) : names.find((one) => one === backup);
  if (name) return name;
  throw new UsageError(
    names.length ? `found ${backup}; allowed: ${names.join(", ")}` : "there is no proven backup",
  );
}

/** The files of one backup, in the pod. */
class Source {
  constructor(
    private readonly stream: Stream,
    private readonly pod: string,
    private readonly chosen: ChosenBackup,
    readonly name: string,
    private readonly signal: AbortSignal,
  ) {}

  async text(file: string): Promise<string> {
    const sink = new PassThrough();
    const all = text(sink);
    await this.send(file, 0, sink).finally(() => sink.end());
    return all;
  }

  /** Sends a file from a position on. */
  async send(file: string, position: number, sink: Parameters<Stream>[3]): Promise<void> {
    const { name, chosen, pod } = this;
    const start = String(position + 1);
    const command = chosen.from
      ? ["sh", `${SCRIPTS}/send-offsite.sh`, name, file, start]
      : ["tail", "-c", `+${start}`, `/backup/${name}/${file}`];
    const { code, stderr } = await this.stream(pod, CONTAINER, command, sink, this.signal);
    if (code === 0) return;
    const why = stderr.trim().split("\n").at(-1) || `exit code ${code}`;
    throw new Failure(`${file} of ${name} cannot be read: ${why}`);
  }
}

interface WantedFile {
  /** Where it shall be. */
  file: string;
  size: number;
  sha256: string;
}

/** Brings a file, or what is left of it. */
async function bring(source: Source, name: string, wanted: WantedFile, progress: Progress) {
  const partial = `${wanted.file}.partial`;
  const position = await sizeOf(partial);
  if (position < wanted.size) {
    const sink = createWriteStream(partial, { flags: "a", mode: 0o600 });
    let told = -1;
    sink.on("drain", () => {
      const percent = Math.floor(((position + sink.bytesWritten) / wanted.size) * 100);
      if (percent !== told) progress(`${name}: ${percent}% of ${bytes(wanted.size)}`);
      told = percent;
    });
    try {
      await source.send(name, position, sink);
    } finally {
      await new Promise<void>((resolve) => sink.close(() => resolve()));
    }
  }
  if (!(await isWhole({ ...wanted, file: partial }))) {
    await fs.rm(partial, { force: true });
    throw new Failure(
      `${name} of ${source.name} is not what its manifest says, and was removed here` +
        (position > 0 ? ": what was here of it may have been another's. Run this again" : ""),
    );
  }
  await fs.rename(partial, wanted.file);
}

async function sizeOf(file: string): Promise<number> {
  return fs.stat(file).then(
    ({ size }) => size,
    () => 0,
  );
}

async function isWhole({ file, size, sha256 }: WantedFile): Promise<boolean> {
  if ((await sizeOf(file)) !== size) return false;
  const hash = createHash("sha256");
  await pipeline(createReadStream(file), hash);
  return hash.digest("hex") === sha256;
}
