/**
 * The proven backup before the first change to a pod: the program's own backup job, run once beside
 * the old site.
 *
 * The old web pod serves no state, so the pod mounts its volume read-only, on the same node: a
 * ReadWriteOnce volume is one node's, not one pod's. Scripts and the password that opens the database
 * come with it.
 */
import { DATABASE_USER, NAMES } from "../../components/labels";
import { scriptFiles, WWW_DATA } from "../../components/pods";
import type { Data } from "../engine";
import { Failure } from "../errors";
import { OFFSITE_SECRET } from "../nightly-pod";
import {
  ADOPTION,
  adoptionMetadata as metadata,
  besideWeb,
  type JobArgs,
  runAdoptionJob,
} from "./job";
import type { Wanted } from "./program";

export interface BackupArgs extends JobArgs {
  resources: Wanted[];
  /** The password that opens the database. */
  password: string;
}

/**
 * Makes the backup and waits until it is proven.
 * @throws Failure with the job's own words; no pod was changed then
 */
export async function provenBackup(args: BackupArgs): Promise<void> {
  const why = await runAdoptionJob(args, backupObjects(args.resources, args.password));
  if (why === undefined) return;
  throw new Failure(`no proven backup, so no pod was changed: ${why}`);
}

/** The Secret, the ConfigMap and the Job. */
export function backupObjects(resources: Wanted[], password: string): Data[] {
  const scripts = scriptFiles("adopt-state.sh", "backup.sh");
  const credentials = { "mariadb-username": DATABASE_USER, "mariadb-password": password };
  return [
    { apiVersion: "v1", kind: "Secret", metadata, type: "Opaque", stringData: credentials },
    { apiVersion: "v1", kind: "ConfigMap", metadata, data: scripts },
    { apiVersion: "batch/v1", kind: "Job", metadata, spec: jobSpec(resources) },
  ];
}

function jobSpec(resources: Wanted[]): Data {
  const cronJob = resources.find(
    ({ inputs }) => inputs.kind === "CronJob" && inputs.metadata.name === NAMES.backup,
  )!;
  const spec = structuredClone(cronJob.inputs.spec.jobTemplate.spec) as Data;
  const pod = spec.template.spec as Data;
  const [state, ...steps] = pod.initContainers as Data[];
  // Off-site it is brought by the first nightly run: there is no Secret for it yet.
  delete spec.podFailurePolicy;
  pod.initContainers = [state];
  pod.containers = [...steps, ...(pod.containers as Data[])].filter(
    ({ name }) => name === "backup",
  );
  state.command = ["bash", "/opt/matomo/scripts/adopt-state.sh"];
  state.env = [];
  state.volumeMounts = [
    ...(state.volumeMounts as Data[]).filter(({ name }) => name !== "backup-credentials"),
    { name: "state", mountPath: "/state", readOnly: true },
  ];
  pod.volumes = [
    ...(pod.volumes as Data[])
      .filter(({ name }) => !["backup-credentials", OFFSITE_SECRET].includes(name as string))
      .map((volume) => ownSource(volume)),
    // Read-only as a whole: kubelet then leaves the files' group as it is.
    { name: "state", persistentVolumeClaim: { claimName: NAMES.dataClaim, readOnly: true } },
  ];
  pod.securityContext.supplementalGroups = [WWW_DATA];
  // The old release may not have the account, and nothing in the pod asks the API server.
  delete pod.serviceAccountName;
  pod.affinity = besideWeb;
  return { ...spec, backoffLimit: 0 };
}

/** Scripts and password from the objects that come with the Job. */
function ownSource(volume: Data): Data {
  if (volume.configMap) return { ...volume, configMap: { ...volume.configMap, name: ADOPTION } };
  if (volume.secret) return { ...volume, secret: { ...volume.secret, secretName: ADOPTION } };
  return volume;
}
