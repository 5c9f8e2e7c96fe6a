/**
 * The proven backup before the first change to a pod: the program's own backup job, run once beside
 * the old site.
 *
 * The old web pod serves no state, so the pod mounts its volume read-only, on the same node: a
 * ReadWriteOnce volume is one node's, not one pod's. All that the pod needs and the old release does
 * not have (scripts, the password that opens the database) comes with it and goes with it.
 */
import { type KubeConfig, type V1Job, Watch } from "@kubernetes/client-node";
import { DATABASE_USER } from "../../components/credentials";
import { NAMES, NAMESPACE, selectorLabels } from "../../components/labels";
import { scriptFiles, WWW_DATA } from "../../components/pods";
import { Failure } from "../errors";
import { endOf } from "../jobs";
import { type Api, reference } from "./api";
import type { Data, Wanted } from "./program";

/** Name of the Job, and of its ConfigMap and Secret. */
export const ADOPTION = "matomo-adoption";
/** The pod has to run within this time, images pulled and volumes attached, in milliseconds. */
const START_MS = 10 * 60_000;

export interface BackupArgs {
  api: Api;
  config: KubeConfig;
  resources: Wanted[];
  /** The password that opens the database. */
  password: string;
  signal?: AbortSignal;
}

/**
 * Makes the backup and waits until it is proven.
 * @throws Failure with the job's own words; nothing was changed then
 */
export async function provenBackup(args: BackupArgs): Promise<void> {
  const { api } = args;
  const objects = backupObjects(args.resources, args.password);
  await remove(api, objects);
  try {
    for (const object of objects) await api.create(object);
    await ended(args);
  } finally {
    await remove(api, objects);
  }
}

/** The Secret, the ConfigMap and the Job. */
export function backupObjects(resources: Wanted[], password: string): Data[] {
  const metadata = { name: ADOPTION, namespace: NAMESPACE, labels: selectorLabels("backup") };
  const names = ["adopt-state.sh", "backup.sh", "backup-lib.sh"];
  const credentials = { "mariadb-username": DATABASE_USER, "mariadb-password": password };
  return [
    { apiVersion: "v1", kind: "Secret", metadata, type: "Opaque", stringData: credentials },
    { apiVersion: "v1", kind: "ConfigMap", metadata, data: scriptFiles(...names) },
    { apiVersion: "batch/v1", kind: "Job", metadata, spec: jobSpec(resources) },
  ];
}

function jobSpec(resources: Wanted[]): Data {
  const cronJob = resources.find(
    ({ inputs }) => inputs.kind === "CronJob" && inputs.metadata.name === NAMES.backup,
  )!;
  const spec = structuredClone(cronJob.inputs.spec.jobTemplate.spec) as Data;
  const pod = spec.template.spec as Data;
  const [state] = pod.initContainers as Data[];
  state.command = ["bash", "/opt/matomo/scripts/adopt-state.sh"];
  state.env = [];
  state.volumeMounts = [
    ...(state.volumeMounts as Data[]).filter(({ name }) => name !== "backup-credentials"),
    { name: "state", mountPath: "/state", readOnly: true },
  ];
  pod.volumes = [
    ...(pod.volumes as Data[])
      .filter(({ name }) => name !== "backup-credentials")
      .map((volume) => ownSource(volume)),
    // Read-only as a whole: kubelet then leaves the files' group as it is.
    { name: "state", persistentVolumeClaim: { claimName: NAMES.dataClaim, readOnly: true } },
  ];
  pod.securityContext.supplementalGroups = [WWW_DATA];
  // The old release may not have the account, and nothing in the pod asks the API server.
  delete pod.serviceAccountName;
  const web = { matchLabels: selectorLabels("web") };
  const sameNode = { labelSelector: web, topologyKey: "kubernetes.io/hostname" };
  pod.affinity = { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [sameNode] } };
  return { ...spec, backoffLimit: 0 };
}

/** Scripts and password from the objects that come with the Job. */
function ownSource(volume: Data): Data {
  if (volume.configMap) return { ...volume, configMap: { ...volume.configMap, name: ADOPTION } };
  if (volume.secret) return { ...volume, secret: { ...volume.secret, secretName: ADOPTION } };
  return volume;
}

async function remove(api: Api, objects: Data[]): Promise<void> {
  for (const object of [...objects].reverse()) {
    const where = reference(object);
    await api.delete(where);
    // A Job of the same name can only be made once the old one is gone.
    while (await api.get(where)) await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

async function ended({ api, config, signal }: BackupArgs): Promise<void> {
  const outcome = await watchJob(config, signal);
  if (outcome === "Complete") return;
  const words = await lastWords(api);
  const why =
    outcome === "late" ? `it did not start within ${START_MS / 60_000} minutes` : "it failed";
  throw new Failure(
    `no proven backup, so nothing was changed: job ${ADOPTION}: ${why}. ${words}\n` +
      "Take the cause away and adopt again; it goes on from here.",
  );
}

/** Follows the Job until it has ended, or is late. */
function watchJob(
  config: KubeConfig,
  signal?: AbortSignal,
): Promise<"Complete" | "Failed" | "late"> {
  return new Promise((resolve, reject) => {
    let connection: AbortController | undefined;
    const finish = (settle: () => void) => {
      clearTimeout(late);
      signal?.removeEventListener("abort", stop);
      connection?.abort();
      settle();
    };
    const stop = () => finish(() => reject(signal!.reason as Error));
    const late = setTimeout(() => finish(() => resolve("late")), START_MS);
    signal?.addEventListener("abort", stop);
    const onEvent = (_type: string, job: V1Job) => {
      const done = endOf(job);
      if (job.status?.ready) clearTimeout(late);
      if (done) finish(() => resolve(done.type));
    };
    const follow = (): void => {
      const path = `/apis/batch/v1/namespaces/${NAMESPACE}/jobs`;
      const query = { fieldSelector: `metadata.name=${ADOPTION}` };
      const onEnd = (error: unknown) => {
        if (connection?.signal.aborted) return;
        // The API server ends a watch now and then; the next one begins with what is there.
        if (error) finish(() => reject(error as Error));
        else follow();
      };
      new Watch(config).watch(path, query, onEvent, onEnd).then(
        (opened) => (connection = opened),
        (error: unknown) => finish(() => reject(error as Error)),
      );
    };
    follow();
  });
}

/** What the pod said last, or why there is none. */
async function lastWords(api: Api): Promise<string> {
  const pods = await api.list(
    { apiVersion: "v1", kind: "Pod", namespace: NAMESPACE },
    `job-name=${ADOPTION}`,
  );
  if (!pods.length) {
    const events = await api.list({ apiVersion: "v1", kind: "Event", namespace: NAMESPACE });
    const own = events.filter(({ involvedObject }) => involvedObject.name === ADOPTION).pop();
    return own ? String(own.message) : "it made no pod";
  }
  const [{ metadata, status }] = pods;
  const log = `/api/v1/namespaces/${NAMESPACE}/pods/${metadata.name}/log?tailLines=5&container=`;
  const said = await Promise.all(
    ["state", "backup"].map((name) => api.text(log + name).catch(() => "")),
  );
  const waiting = ((status.containerStatuses ?? []) as Data[])
    .map(({ state }) => state?.waiting?.message ?? state?.waiting?.reason)
    .filter(Boolean);
  return [...said, ...waiting].join("\n").trim() || `its pod is ${status.phase}`;
}
