/**
 * The Job that brings a backup back: the nightly job's own pod, with the web pod's volume beside the
 * backup's and restore.sh instead of the dump.
 *
 * It is no object of the program: only one pod may have the web pod's volume, and this one may have
 * it only while Deployment `matomo` has none (incident 2). So it is made for one run, from what the
 * cluster runs at night: the same images, Secrets, network rules and limits.
 */
import type { V1CronJob, V1Job, V1PodSpec } from "@kubernetes/client-node";
import { Refusal } from "../components/failure";
import { NAMES } from "../components/labels";
import { WWW_DATA } from "../components/pods";
import { ONCE } from "./jobs";

export interface RestoreOptions {
  /** Name of a proven backup on the backup volume, or `newest`. */
  backup: string;
  /** Replace the site that is there: its primary host name, said again. */
  replace?: string;
}

/**
 * @param cronJob the live CronJob `matomo-backup`
 * @throws Refusal when that is not the program's
 */
export function restoreJob(cronJob: V1CronJob, name: string, options: RestoreOptions): V1Job {
  const spec = structuredClone(cronJob.spec!.jobTemplate.spec!);
  const pod: V1PodSpec = spec.template.spec!;
  const container = pod.containers.find((one) => one.name === "backup");
  const script = container?.command?.[1]?.replace(/backup\.sh$/, "restore.sh");
  if (!container || !script?.endsWith("restore.sh")) {
    throw new Refusal(
      `CronJob ${NAMES.backup} is not this program's: it has no backup.sh beside which restore.sh is. ` +
        "Deploy the stack first.",
    );
  }
  container.name = "restore";
  container.command = ["bash", script];
  container.env!.push({ name: "BACKUP", value: options.backup });
  if (options.replace !== undefined) {
    container.env!.push(
      { name: "RESTORE_OVERWRITE", value: "yes" },
      { name: "RESTORE_CONFIRM", value: options.replace },
    );
  }
  container.volumeMounts!.push({ name: "state", mountPath: "/state" });
  pod.volumes!.push({ name: "state", persistentVolumeClaim: { claimName: NAMES.web } });
  pod.initContainers = [];
  pod.containers = [container];
  // The state is the web server's, and stays so.
  Object.assign(pod.securityContext!, {
    runAsUser: WWW_DATA,
    runAsGroup: WWW_DATA,
    fsGroup: WWW_DATA,
  });
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: {
      name,
      namespace: cronJob.metadata!.namespace,
      labels: cronJob.metadata!.labels,
    },
    // A refusal stays one; what was cut short goes on where it was when the command is run again.
    spec: { ...spec, ...ONCE },
  };
}
