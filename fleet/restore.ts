/**
 * Brings a site back from a backup: the web pod goes, because only one pod may have its volume, the
 * restore Job runs, and the web pod comes again. No nightly backup begins meanwhile.
 */
import { NAMES, NAMESPACE } from "../components/labels";
import { survey } from "../components/live";
import { ROLLOUT_SECONDS } from "../components/pods";
import { STORAGE_CLASS } from "../components/storage";
import type { Cluster } from "./cluster";
import { Failure, UsageError } from "./errors";
import { jobName, type JobResult, readCronJob, runJob } from "./jobs";
import { holdBackups, releaseBackups } from "./nightly";
import { restoreJob, type RestoreOptions } from "./restore-job";
import type { Progress } from "./run";
import { scaleWeb } from "./scale";
import { awaitPods, awaitServing, findWeb } from "./web-pods";

/** restore.sh's own words when it refuses. */
const REFUSED = "Nothing was touched";

/** What the web Deployment is to have, and whether visitors are served now. */
export interface Web {
  /** Whether it is to have a pod. */
  wanted: boolean;
  serving: boolean;
}

/** @throws UsageError when there is no Deployment */
export async function readWeb(cluster: Cluster): Promise<Web> {
  const web = await findWeb(cluster);
  if (!web) throw new UsageError(`there is no Deployment ${NAMES.web}: deploy the stack first`);
  const { spec, status } = web;
  return { wanted: spec?.replicas !== 0, serving: (status?.readyReplicas ?? 0) > 0 };
}

/** Whether nothing of the site is there: no web server, and no claim that could have its data. */
export async function isGone(cluster: Cluster): Promise<boolean> {
  if (await findWeb(cluster)) return false;
  const { claims } = await survey(cluster.kubeconfig);
  return !Object.keys(claims).length;
}

/** Volumes of Pulumi's own that outlived their claims, by name: they have the data, and no new claim gets them. */
export async function volumesLeft({ core }: Cluster): Promise<string[]> {
  const { items } = await core.listPersistentVolume();
  return items
    .filter(({ spec, status }) => {
      const { claimRef, storageClassName, persistentVolumeReclaimPolicy: policy } = spec!;
      const isOurs = claimRef?.namespace === NAMESPACE && storageClassName === STORAGE_CLASS;
      return isOurs && policy === "Retain" && status?.phase !== "Bound";
    })
    .map(({ metadata }) => metadata!.name!)
    .sort();
}

/**
 * Takes the web pod away, and the nightly backup with it, and waits until it has ended what it had
 * begun, an update of the schema at most.
 * @throws UsageError while a backup runs, before anything is touched
 */
export async function takeWebAway(
  cluster: Cluster,
  progress: Progress,
  signal: AbortSignal,
): Promise<void> {
  await holdBackups(cluster);
  progress("the web pod goes");
  await scaleWeb(cluster, 0);
  await awaitPods(cluster, "web", "no web pod", ROLLOUT_SECONDS, signal, (pods) => !pods.length);
}

/** Restores, and brings the web pod back: refused, it is as it was before. */
export async function restore(
  cluster: Cluster,
  options: RestoreOptions,
  progress: Progress,
  signal: AbortSignal,
): Promise<JobResult> {
  const { wanted, serving } = await readWeb(cluster);
  const result = await replaceSite(cluster, options, progress, signal);
  if (result.ok || serving) await bringWebBack(cluster, progress, signal);
  // One that did not serve is not waited for; of a site that was half restored there was none.
  else if (wanted) await scaleWeb(cluster, 1);
  return result;
}

/**
 * Runs the restore while the web pod is away. One that was cut short leaves it away, as it would serve
 * half a site, and the backup held; the same command again ends it.
 */
export async function replaceSite(
  cluster: Cluster,
  options: RestoreOptions,
  progress: Progress,
  signal: AbortSignal,
): Promise<JobResult> {
  const name = jobName("matomo", "restore");
  const job = restoreJob(await readCronJob(cluster, NAMES.backup), name, options);
  await takeWebAway(cluster, progress, signal);
  const result = await runJob(cluster, job, progress, signal);
  const refused = result.log.some((line) => line.includes(REFUSED));
  if (result.ok || refused) {
    // Before the web pod comes: killed in between, it is away, which nobody fails to see.
    await releaseBackups(cluster);
    return result;
  }
  throw new Failure(
    `${result.said}\nThe web pod stays away, as the site may be half restored, and no nightly backup is ` +
      `made: run the same command again. Log: kubectl -n ${NAMESPACE} logs job/${name}`,
  );
}

export async function bringWebBack(
  cluster: Cluster,
  progress: Progress,
  signal: AbortSignal,
): Promise<void> {
  progress("the web pod comes again");
  await scaleWeb(cluster, 1);
  await awaitServing(cluster, ROLLOUT_SECONDS, signal);
}
