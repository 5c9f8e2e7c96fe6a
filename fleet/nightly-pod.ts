/**
 * The pod that the program's CronJob makes at night, from which a command makes one of its own: the same
 * images, Secrets, network rules and limits.
 */
import type { V1Container, V1CronJob, V1JobSpec, V1PodSpec } from "@kubernetes/client-node";
import { Refusal } from "../components/failure";
import { NAMES } from "../components/labels";

export interface NightlyPod {
  /** A copy of the Job's; its containers are the caller's to choose. */
  spec: V1JobSpec;
  pod: V1PodSpec;
  /** What dumps and proves. */
  backup: V1Container;
  /** What brings backups off-site; undefined where the stack has no such place. */
  offsite?: V1Container;
}

/** Volume with the bucket's key pair and the repository's password. */
export const OFFSITE_SECRET = "offsite-credentials";

/**
 * @param cronJob the live CronJob `matomo-backup`
 * @param script what the caller wants to run in the pod
 * @throws Refusal when that is not the program's
 */
export function nightlyPod(cronJob: V1CronJob, script: string): NightlyPod {
  const spec = structuredClone(cronJob.spec!.jobTemplate.spec!);
  // It names a container that the caller may not have.
  delete spec.podFailurePolicy;
  const pod = spec.template.spec!;
  const containers = [...(pod.initContainers ?? []), ...pod.containers];
  const backup = containers.find(({ name }) => name === "backup");
  if (!backup?.command?.[1]?.endsWith("backup.sh")) {
    throw new Refusal(
      `CronJob ${NAMES.backup} is not this program's: it has no backup.sh beside which ${script} is. ` +
        "Deploy the stack first.",
    );
  }
  return { spec, pod, backup, offsite: containers.find(({ name }) => name === "offsite") };
}

/**
 * What brings backups off-site.
 * @throws Refusal where the stack has no such place
 */
export function offsiteOf({ offsite }: NightlyPod): V1Container {
  if (offsite) return offsite;
  throw new Refusal(
    "the stack has no off-site repository: state matomo:backup.offsite and deploy it first.",
  );
}

/** The command of a container, with another script of the same folder. */
export function commandOf({ command }: V1Container, script: string): string[] {
  const [shell, path] = command!;
  return [shell, path.replace(/[^/]*$/, script)];
}
