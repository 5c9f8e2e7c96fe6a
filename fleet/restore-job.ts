/**
 * The Job that brings a backup back: the nightly job's own pod, with the web pod's volume beside the
 * backup's and restore.sh instead of the dump.
 *
 * It is no object of the program: only one pod may have the web pod's volume, and this one may have
 * it only while Deployment `matomo` has none (incident 2). So it is made for one run, from what the
 * cluster runs at night: the same images, Secrets, network rules and limits.
 */
import type { V1Container, V1CronJob, V1Job } from "@kubernetes/client-node";
import { NAMES } from "../components/labels";
import { WWW_DATA } from "../components/pods";
import type { ChosenBackup } from "./chosen-backup";
import { ONCE } from "./jobs";
import { commandOf, nightlyPod, OFFSITE_SECRET, offsiteOf } from "./nightly-pod";

/** From off-site the backup is brought onto the backup volume first. */
export interface RestoreOptions extends ChosenBackup {
  /** Replace the site that is there: its primary host name, said again. */
  replace?: string;
}

/**
 * @param cronJob the live CronJob `matomo-backup`
 * @throws Refusal when that is not the program's
 */
export function restoreJob(cronJob: V1CronJob, name: string, options: RestoreOptions): V1Job {
  const nightly = nightlyPod(cronJob, "restore.sh");
  const { spec, pod, backup: container } = nightly;
  const fetched = options.from === "offsite";
  container.command = commandOf(container, "restore.sh");
  container.name = "restore";
  container.env!.push({ name: "BACKUP", value: fetched ? "offsite" : options.backup });
  if (options.replace !== undefined) {
    container.env!.push(
      { name: "RESTORE_OVERWRITE", value: "yes" },
      { name: "RESTORE_CONFIRM", value: options.replace },
    );
  }
  container.volumeMounts!.push({ name: "state", mountPath: "/state" });
  pod.volumes!.push({ name: "state", persistentVolumeClaim: { claimName: NAMES.web } });
  pod.initContainers = fetched ? [fetches(offsiteOf(nightly), options.backup)] : [];
  pod.containers = [container];
  if (!fetched) pod.volumes = pod.volumes!.filter(({ name }) => name !== OFFSITE_SECRET);
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

/** Brings a backup onto the volume, which it may write for that. */
function fetches(offsite: V1Container, backup: string): V1Container {
  return {
    ...offsite,
    command: commandOf(offsite, "fetch-offsite.sh"),
    env: [...offsite.env!, { name: "OFFSITE_BACKUP", value: backup }],
    volumeMounts: offsite.volumeMounts!.map((mount) =>
      mount.name === "backup" ? { ...mount, readOnly: false } : mount,
    ),
  };
}
