/** Jobs that a command makes from the stack's CronJobs, followed to their end. */
import { PassThrough } from "node:stream";
import { createInterface } from "node:readline";
import {
  Log,
  type V1CronJob,
  type V1EnvVar,
  type V1Job,
  type V1JobCondition,
  type V1Pod,
} from "@kubernetes/client-node";
import { NAMESPACE } from "../components/labels";
import type { Cluster } from "./cluster";
import { UsageError } from "./errors";
import type { Progress } from "./run";
import { awaitObjects } from "./watch";

/** How a Job ended. */
export interface JobResult {
  job: string;
  ok: boolean;
  /** The line with which it says how it ended, or Kubernetes does. */
  said: string;
  /** All that its containers printed, in order; empty when the nodes keep no logs. */
  log: string[];
}

/** On a Job that a command made: its own name, by which it can be watched. */
const RUN_LABEL = "matomo-fleet/run";
/** Of a Job that no CronJob owns: it runs once, and its history is nobody else's to limit (incident 6). */
export const ONCE = { backoffLimit: 0, ttlSecondsAfterFinished: 7 * 24 * 3600 };
/** How long beyond its own deadline a Job is waited for, in seconds: its pods have to end first. */
const GRACE = 300;

/** The live CronJob; undefined when the stack is not deployed. */
export async function findCronJob(
  { batch }: Cluster,
  name: string,
): Promise<V1CronJob | undefined> {
  const { items } = await batch.listNamespacedCronJob({
    namespace: NAMESPACE,
    fieldSelector: `metadata.name=${name}`,
  });
  return items[0];
}

/** The live CronJob; a UsageError when the stack is not deployed. */
export async function readCronJob(cluster: Cluster, name: string): Promise<V1CronJob> {
  const found = await findCronJob(cluster, name);
  if (found) return found;
  throw new UsageError(`there is no CronJob ${name}: deploy the stack first`);
}

/** The Job that the CronJob would make now, under its own history limits (incident 6). */
function jobOf(cronJob: V1CronJob, name: string, env: V1EnvVar[]): V1Job {
  const { metadata, spec } = structuredClone(cronJob.spec!.jobTemplate);
  const { initContainers = [], containers } = spec!.template.spec!;
  for (const container of [...initContainers, ...containers]) {
    if (env.length) container.env = [...(container.env ?? []), ...env];
  }
  const owner = { apiVersion: "batch/v1", kind: "CronJob", controller: true };
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: {
      name,
      namespace: NAMESPACE,
      labels: metadata?.labels,
      annotations: { ...metadata?.annotations, "cronjob.kubernetes.io/instantiate": "manual" },
      ownerReferences: [{ ...owner, name: cronJob.metadata!.name!, uid: cronJob.metadata!.uid! }],
    },
    spec,
  };
}

/** A name that no other run has: the CronJob's, a word and the time. */
export function jobName(cronJob: string, word: string): string {
  return `${cronJob}-${word}-${Math.floor(Date.now() / 100).toString(36)}`;
}

/**
 * Refuses while a Job of these components has not ended: two of them would have one volume.
 * @throws UsageError that names it
 */
export async function assertNoneRuns({ batch }: Cluster, components: string[]): Promise<void> {
  const { items } = await batch.listNamespacedJob({ namespace: NAMESPACE });
  const running = items.find((job) => runsAs(job, components));
  if (running) {
    throw new UsageError(`Job ${running.metadata!.name} is running: wait for its end`);
  }
}

/**
 * Waits until no Job of a component runs.
 * @throws Failure after so many seconds; Interrupted
 */
export async function awaitNoneRuns(
  cluster: Cluster,
  component: string,
  seconds: number,
  signal: AbortSignal,
): Promise<void> {
  await awaitObjects(
    cluster,
    {
      path: `/apis/batch/v1/namespaces/${NAMESPACE}/jobs`,
      list: () => cluster.batch.listNamespacedJob({ namespace: NAMESPACE }),
    },
    (jobs) => !jobs.some((job) => runsAs(job, [component])) || undefined,
    { what: `the end of the ${component} Job that runs`, seconds, signal },
  );
}

function runsAs(job: V1Job, components: string[]): boolean {
  const component = job.spec?.template.metadata?.labels?.["app.kubernetes.io/component"] ?? "";
  // Without a pod it has just been made, or tries again soon.
  return components.includes(component) && !endOf(job);
}

/**
 * Makes a Job and follows it. Interrupted, it leaves the Job to end by itself.
 * @throws Interrupted
 */
export async function runJob(
  cluster: Cluster,
  job: V1Job,
  progress: Progress,
  signal: AbortSignal,
): Promise<JobResult> {
  const name = job.metadata!.name!;
  const labels = { ...job.metadata!.labels, [RUN_LABEL]: name };
  const body = { ...job, metadata: { ...job.metadata, labels } };
  await cluster.batch.createNamespacedJob({ namespace: NAMESPACE, body });
  progress(`${name} made`);
  const follower = new Follower(cluster, progress);
  const ended = new AbortController();
  const selector = `job-name=${name}`;
  const own = `${RUN_LABEL}=${name}`;
  const seconds = (job.spec!.activeDeadlineSeconds ?? 3600) + GRACE;
  const pods = awaitObjects(
    cluster,
    {
      path: `/api/v1/namespaces/${NAMESPACE}/pods`,
      list: () => cluster.core.listNamespacedPod({ namespace: NAMESPACE, labelSelector: selector }),
      labelSelector: selector,
    },
    (found) => follower.look(found),
    { what: `pods of ${name}`, seconds, signal: ended.signal },
  ).catch(() => undefined);
  try {
    const condition = await awaitObjects(
      cluster,
      {
        path: `/apis/batch/v1/namespaces/${NAMESPACE}/jobs`,
        list: () => cluster.batch.listNamespacedJob({ namespace: NAMESPACE, labelSelector: own }),
        labelSelector: own,
      },
      ([found]) => found && endOf(found),
      { what: `the end of Job ${name}`, seconds, signal },
    );
    const log = await readLogs(cluster, name);
    const ok = condition.type === "Complete";
    const said = lastWord(log) ?? condition.message ?? (ok ? "complete" : "failed");
    return { job: name, ok, said, log };
  } finally {
    ended.abort();
    await pods;
    follower.stop();
  }
}

/** A CronJob to run now. */
export interface CronJobRun {
  name: string;
  component: string;
  /** Why it runs, in the Job's name. */
  word: string;
  /** More of its containers' environment. */
  env?: V1EnvVar[];
}

/**
 * Runs what a CronJob would make now, unless a Job of its component runs.
 * @throws UsageError before anything is made; Interrupted
 */
export async function runCronJob(
  cluster: Cluster,
  { name, component, word, env = [] }: CronJobRun,
  progress: Progress,
  signal: AbortSignal,
): Promise<JobResult> {
  await assertNoneRuns(cluster, [component]);
  const job = jobOf(await readCronJob(cluster, name), jobName(name, word), env);
  return runJob(cluster, job, progress, signal);
}

/** The condition with which a Job ended. */
export function endOf({ status }: V1Job) {
  type End = V1JobCondition & { type: "Complete" | "Failed" };
  return status?.conditions?.find(
    (one): one is End =>
      one.status === "True" && (one.type === "Complete" || one.type === "Failed"),
  );
}

/** The last error, or else the last line. */
export function lastWord(log: string[]): string | undefined {
  const backwards = [...log].reverse();
  return backwards.find((line) => line.includes("ERROR")) ?? backwards.find((line) => line.trim());
}

/** Shows what a Job's containers print while they run. */
class Follower {
  private readonly streams = new Map<string, AbortController | undefined>();

  constructor(
    private readonly cluster: Cluster,
    private readonly progress: Progress,
  ) {}

  /** Looks at the pods as they are now; never answers, as there may be more. */
  look(pods: V1Pod[]): undefined {
    for (const { metadata, status } of pods) {
      const states = [
        ...(status?.initContainerStatuses ?? []),
        ...(status?.containerStatuses ?? []),
      ];
      for (const { name, state } of states) {
        if (state?.running) this.follow(metadata!.name!, name);
      }
    }
  }

  private follow(pod: string, container: string): void {
    const key = `${pod}/${container}`;
    if (this.streams.has(key)) return;
    this.streams.set(key, undefined);
    const stream = new PassThrough();
    createInterface(stream).on("line", (line) => this.progress(line));
    new Log(this.cluster.config)
      .log(NAMESPACE, pod, container, stream, { follow: true })
      .then((controller) => this.streams.set(key, controller))
      // A simulated node has no logs.
      .catch(() => undefined);
  }

  stop(): void {
    for (const controller of this.streams.values()) controller?.abort();
  }
}

/** All that a Job's pods printed. */
async function readLogs({ core }: Cluster, job: string): Promise<string[]> {
  const labelSelector = `job-name=${job}`;
  const { items } = await core.listNamespacedPod({ namespace: NAMESPACE, labelSelector });
  const age = ({ metadata }: V1Pod) => Number(metadata?.creationTimestamp ?? 0);
  const texts: string[] = [];
  for (const { metadata, spec } of items.sort((a, b) => age(a) - age(b))) {
    for (const { name } of [...(spec?.initContainers ?? []), ...spec!.containers]) {
      const where = { name: metadata!.name!, namespace: NAMESPACE, container: name };
      texts.push(await core.readNamespacedPodLog(where).catch(() => ""));
    }
  }
  return texts.flatMap((text) => (text ? text.trimEnd().split("\n") : []));
}
