/**
 * The one Job that adoption makes by itself, at one time or another: all that its pod needs and the old
 * release does not have comes with it and goes with it.
 */
import { BatchV1Api, type KubeConfig, type V1Job } from "@kubernetes/client-node";
import { NAMESPACE, selectorLabels } from "../../components/labels";
import type { Data } from "../engine";
import { Failure } from "../errors";
import { endOf } from "../jobs";
import { awaitObjects } from "../watch";
import type { Api } from "./api";

/** Name of the Job, and of what comes with it. */
export const ADOPTION = "matomo-adoption";
/** The pod has to run within this time, images pulled and volumes attached, in seconds. */
const START_SECONDS = 600;
/** It ends by its own deadline, which for a backup is four hours. */
const END_SECONDS = 5 * 3600;

export interface JobArgs {
  api: Api;
  config: KubeConfig;
  signal: AbortSignal;
}

/** The Job, and what comes with it. */
const KINDS = [
  ["batch/v1", "Job"],
  ["v1", "ConfigMap"],
  ["v1", "Secret"],
];

/** For the Job and what comes with it: no Service has pods of this component. */
export const adoptionMetadata = {
  name: ADOPTION,
  namespace: NAMESPACE,
  labels: selectorLabels("backup"),
};

/** A pod on the web pod's node: a ReadWriteOnce volume is one node's, not one pod's. */
export const besideWeb = {
  podAffinity: {
    requiredDuringSchedulingIgnoredDuringExecution: [
      {
        labelSelector: { matchLabels: selectorLabels("web") },
        topologyKey: "kubernetes.io/hostname",
      },
    ],
  },
};

/**
 * Makes the objects, each of one of the kinds above, follows the Job to its end and removes them.
 * @returns why it failed, in its own words; undefined when it completed
 */
export async function runAdoptionJob(args: JobArgs, objects: Data[]): Promise<string | undefined> {
  const { api } = args;
  await removeAdoptionJob(api);
  try {
    for (const object of objects) await api.create(object);
    const late = (error: unknown) => {
      if (error instanceof Failure) return error.message;
      throw error;
    };
    const outcome = await endOfJob(args).catch(late);
    if (outcome === "Complete") return undefined;
    const why = outcome === "Failed" ? "it failed" : outcome;
    return `job ${ADOPTION}: ${why}. ${await lastWords(api)}`;
  } finally {
    await removeAdoptionJob(api);
  }
}

/** Removes the Job and all that comes with it, also what a killed command left. */
export async function removeAdoptionJob(api: Api): Promise<void> {
  for (const [apiVersion, kind] of KINDS) {
    const where = { apiVersion, kind, name: ADOPTION, namespace: NAMESPACE };
    await api.delete(where);
    // A Job of the same name can only be made once the old one is gone.
    while (await api.get(where)) await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/**
 * Follows the Job to its end.
 * @throws Failure when it does not start
 */
async function endOfJob({ config, signal }: JobArgs): Promise<"Complete" | "Failed"> {
  const batch = config.makeApiClient(BatchV1Api);
  const wait = <R>(seconds: number, what: string, found: (job: V1Job) => R | undefined) =>
    awaitObjects(
      { config },
      {
        path: `/apis/batch/v1/namespaces/${NAMESPACE}/jobs`,
        list: () => batch.listNamespacedJob({ namespace: NAMESPACE }),
      },
      (jobs) => jobs.filter(({ metadata }) => metadata!.name === ADOPTION).map(found)[0],
      { what, seconds, signal },
    );
  const hasStarted = (job: V1Job) => job.status?.ready || endOf(job) || undefined;
  await wait(START_SECONDS, "its start", hasStarted);
  return wait(END_SECONDS, "its end", (job) => endOf(job)?.type);
}

/** What the pod said last, and what Kubernetes said of it. */
async function lastWords(api: Api): Promise<string> {
  const inNamespace = { apiVersion: "v1", namespace: NAMESPACE };
  const [pod] = await api.list({ ...inNamespace, kind: "Pod" }, `job-name=${ADOPTION}`);
  const events = await api.list({ ...inNamespace, kind: "Event" });
  const { initContainers, containers } = (pod?.spec ?? {}) as Record<string, Data[] | undefined>;
  const said = await Promise.all(
    [...(initContainers ?? []), ...(containers ?? [])].map(({ name }) => {
      const query = `tailLines=5&container=${name}`;
      const log = `/api/v1/namespaces/${NAMESPACE}/pods/${pod.metadata.name}/log?${query}`;
      return api.text(log).catch(() => "");
    }),
  );
  const phase = pod ? `its pod is ${pod.status?.phase}` : "it made no pod";
  return [...said, ...toldOf(pod, events)].join("\n").trim() || phase;
}

/** What Kubernetes says of the Job's pod, or of the Job where it has made none. */
export function toldOf(pod: Data | undefined, events: Data[]): string[] {
  const name: unknown = pod?.metadata.name ?? ADOPTION;
  const at = ({ lastTimestamp, eventTime, metadata }: Data) =>
    String(lastTimestamp ?? eventTime ?? metadata.creationTimestamp);
  const warning = events
    .filter(({ type, involvedObject }) => type === "Warning" && involvedObject.name === name)
    .sort((a, b) => at(a).localeCompare(at(b)))
    .at(-1);
  const status = (pod?.status ?? {}) as Record<string, Data[] | undefined>;
  const waiting = [
    ...(status.initContainerStatuses ?? []),
    ...(status.containerStatuses ?? []),
  ].map(({ state }) => (state?.waiting?.message ?? state?.waiting?.reason) as unknown);
  return [...new Set([...waiting, warning?.message as unknown])].filter(Boolean).map(String);
}
