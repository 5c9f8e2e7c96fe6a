/**
 * Brings a site back from a backup: the web pod goes, because only one pod may have its volume, the
 * restore Job runs, and the web pod comes again.
 */
import { NAMES, NAMESPACE } from "../components/labels";
import { ROLLOUT_SECONDS } from "../components/pods";
import type { Cluster } from "./cluster";
import { Failure, UsageError } from "./errors";
import { assertNoneRuns, jobName, type JobResult, readCronJob, runJob } from "./jobs";
import { restoreJob, type RestoreOptions } from "./restore-job";
import type { Progress } from "./run";
import { scaleWeb } from "./scale";
import { awaitPods, awaitServing } from "./web-pods";

/** How long a web pod may take to end its requests, in seconds. */
const SHUTDOWN_SECONDS = 180;
/** restore.sh's own words when it refuses. */
const REFUSED = "Nothing was touched";

/** Whether visitors are served now. */
export async function isServing({ apps }: Cluster): Promise<boolean> {
  const { items } = await apps.listNamespacedDeployment({
    namespace: NAMESPACE,
    fieldSelector: `metadata.name=${NAMES.web}`,
  });
  if (!items[0])
    throw new UsageError(`there is no Deployment ${NAMES.web}: deploy the stack first`);
  return (items[0].status?.readyReplicas ?? 0) > 0;
}

/** Takes the web pod away and waits until it has ended its requests. */
export async function takeWebAway(
  cluster: Cluster,
  progress: Progress,
  signal: AbortSignal,
): Promise<void> {
  progress("the web pod goes");
  await scaleWeb(cluster, 0);
  await awaitPods(cluster, "web", "no web pod", SHUTDOWN_SECONDS, signal, (pods) => !pods.length);
}

/**
 * Restores. A restore that was cut short leaves the web pod away, as it would serve half a site;
 * the same command again ends it.
 */
export async function restore(
  cluster: Cluster,
  options: RestoreOptions,
  progress: Progress,
  signal: AbortSignal,
): Promise<JobResult> {
  await assertNoneRuns(cluster, ["backup"]);
  const name = jobName("matomo", "restore");
  const job = restoreJob(await readCronJob(cluster, NAMES.backup), name, options);
  await takeWebAway(cluster, progress, signal);
  const result = await runJob(cluster, job, progress, signal);
  const refused = result.log.some((line) => line.includes(REFUSED));
  if (!result.ok && !refused) {
    throw new Failure(
      `${result.said}\nThe web pod stays away, as the site may be half restored: ` +
        `run the same command again. Log: kubectl -n ${NAMESPACE} logs job/${name}`,
    );
  }
  progress("the web pod comes again");
  await scaleWeb(cluster, 1);
  await awaitServing(cluster, ROLLOUT_SECONDS, signal);
  return result;
}
