/**
 * A backup that something else waits for: the proven one on the volume is what that goes back to. A step
 * off-site that failed fails the Job, and its command, so that nobody misses it; what waits goes on.
 */
import type { V1EnvVar, V1Pod } from "@kubernetes/client-node";
import { NAMES, NAMESPACE } from "../components/labels";
import type { Cluster } from "./cluster";
import { type JobResult, runCronJob } from "./jobs";
import type { Progress } from "./run";

export interface BackupRun extends JobResult {
  /** Whether the volume has a proven backup of this run. */
  ok: boolean;
  /** What a person has to know of a run that ended well. */
  warning?: string;
}

/**
 * Makes a backup now.
 * @param run why, in the Job's name, and more of its containers' environment
 * @throws UsageError while one runs, before anything is made; Interrupted
 */
export async function backUp(
  cluster: Cluster,
  run: { word: string; env?: V1EnvVar[] },
  progress: Progress,
  signal: AbortSignal,
): Promise<BackupRun> {
  const what = { name: NAMES.backup, component: "backup", ...run };
  const result = await runCronJob(cluster, what, progress, signal);
  if (result.ok) return result;
  const labelSelector = `job-name=${result.job}`;
  const pods = await cluster.core.listNamespacedPod({ namespace: NAMESPACE, labelSelector });
  if (!pods.items.some(hasProven)) return result;
  const warning = `the backup is proven on its volume, but not off-site: ${result.said}`;
  progress(warning);
  return { ...result, ok: true, said: warning, warning };
}

/** Whether the step that proves has ended well: where it is the only one, its Job says so. */
export function hasProven({ status }: V1Pod): boolean {
  const before = status?.initContainerStatuses?.find(({ name }) => name === "backup");
  return before?.state?.terminated?.exitCode === 0;
}
