/**
 * What the cluster and DigitalOcean say of the site's volumes, read once: a lost volume is found by
 * asking, never by waiting for a pod that waits for it.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { CoreV1Event, V1Pod, V1PodSpec } from "@kubernetes/client-node";
import { NAMESPACE, objectLabels } from "../../components/labels";
import type { Cluster } from "../cluster";
import { findVolume } from "../digitalocean";
import { Failure, reason } from "../errors";
import { firstLine } from "../run";
import { isReady } from "../web-pods";
import type { Facts } from "./judge";

/**
 * Longest wait for the cluster's answer, and then for DigitalOcean's, in seconds. One that is well takes
 * one or two of them: a slow machine or network is no reason to say that nothing is known.
 */
export const ANSWER_SECONDS = 60;

const { "app.kubernetes.io/managed-by": MANAGED_BY } = objectLabels();
/**
 * PersistentVolumes of the driver and of the program have the name of their Volume at DigitalOcean; of
 * any other's Volume the name is not known.
 */
const NAMED_ALIKE = /^(pvc|matomo)-/;

/**
 * Reads all that is known of the volumes of these claims.
 * @throws Failure when the cluster does not answer in time
 */
export async function readFacts(cluster: Cluster, claims: string[]): Promise<Facts[]> {
  const read = readCluster(cluster, claims);
  const facts = await within(ANSWER_SECONDS, "what the cluster says of the volumes", read);
  return withCloud(cluster, facts, ANSWER_SECONDS);
}

/** The cluster's facts with DigitalOcean's word, for which it waits so many seconds. */
export async function withCloud(
  cluster: Cluster,
  facts: Facts[],
  seconds: number,
): Promise<Facts[]> {
  const names = facts
    .flatMap(({ found }) => found?.volumeName ?? [])
    .filter((name) => NAMED_ALIKE.test(name));
  const cloud = await readCloud(cluster, names, seconds);
  return facts.map((one) => ({ ...one, cloud: cloud.get(one.found?.volumeName ?? "") }));
}

/**
 * @param next what to do when it takes longer
 * @throws Failure then
 */
export async function within<T>(
  seconds: number,
  what: string,
  answer: Promise<T>,
  next = "Run the command again",
): Promise<T> {
  const over = new AbortController();
  const late = delay(seconds * 1000, undefined, { signal: over.signal }).then(() => {
    throw new Failure(
      `no answer in ${seconds} s: ${what}. That is slow, and no finding: nothing was touched. ${next}`,
    );
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    late.catch(() => undefined);
    over.abort();
  }
}

/** What the cluster alone knows of them. */
export async function readCluster({ core, storage }: Cluster, claims: string[]): Promise<Facts[]> {
  const namespace = NAMESPACE;
  const [found, volumes, attachments, pods, events] = await Promise.all([
    core.listNamespacedPersistentVolumeClaim({ namespace }),
    core.listPersistentVolume(),
    storage.listVolumeAttachment(),
    core.listNamespacedPod({ namespace }),
    core.listNamespacedEvent({ namespace, fieldSelector: "type=Warning" }),
  ]);
  return claims.map((name) => {
    const claim = found.items.find(({ metadata }) => metadata!.name === name);
    const volumeName = claim?.spec?.volumeName;
    const volume = volumes.items.find(({ metadata }) => metadata!.name === volumeName);
    const handle = volume?.spec?.csi?.volumeHandle ?? "";
    const users = pods.items.filter(
      ({ spec, status }) => mounts(spec, name) && !/Succeeded|Failed/.test(status?.phase ?? ""),
    );
    return {
      claim: name,
      found: claim && {
        uid: claim.metadata!.uid!,
        phase: claim.status?.phase ?? "Pending",
        volumeName,
      },
      volume: volume && {
        uid: volume.metadata!.uid!,
        name: volumeName!,
        handle,
        ofProgram: volume.metadata!.labels?.["app.kubernetes.io/managed-by"] === MANAGED_BY,
      },
      attachments: attachments.items
        .filter(({ spec }) => volumeName && spec.source.persistentVolumeName === volumeName)
        .map(({ spec, status }) => ({
          node: spec.nodeName,
          attached: status?.attached ?? false,
          error: (status?.attachError ?? status?.detachError)?.message,
        })),
      pods: users.map((pod) => ({ name: pod.metadata!.name!, ready: isReady(pod) })),
      warnings: warningsOf(events.items, name, [volumeName, handle], users),
    };
  });
}

/** Whether a pod has the claim, or waits for it. */
export function mounts(spec: V1PodSpec | undefined, claim: string): boolean {
  return Boolean(spec?.volumes?.some((one) => one.persistentVolumeClaim?.claimName === claim));
}

/** A pod has many volumes: only what names this one is said of it, and only to a pod that waits. */
function warningsOf(
  events: CoreV1Event[],
  claim: string,
  names: (string | undefined)[],
  pods: V1Pod[],
): string[] {
  const waiting = pods.filter((pod) => !isReady(pod)).map(({ metadata }) => metadata!.uid);
  const said = events.filter(({ involvedObject, reason, message = "" }) => {
    if (involvedObject.kind === "PersistentVolumeClaim") {
      return involvedObject.name === claim && reason === "ProvisioningFailed";
    }
    return (
      /^Failed(AttachVolume|Mount)$/.test(reason ?? "") &&
      waiting.includes(involvedObject.uid) &&
      names.some((name) => name && message.includes(name))
    );
  });
  return [...new Set(said.map(({ message }) => message!))];
}

/** Volumes at DigitalOcean by name; none of a cluster that is not theirs. */
async function readCloud({ doks }: Cluster, names: string[], seconds: number) {
  const known = new Map<string, Facts["cloud"]>();
  if (!doks) return known;
  const over = new AbortController();
  const ask = async (name: string) => {
    known.set(name, { silent: `no answer in ${seconds} s` });
    try {
      const id = await findVolume(name, doks.region, { signal: over.signal });
      known.set(name, id === undefined ? "missing" : { id });
    } catch (error) {
      if (!over.signal.aborted) known.set(name, { silent: firstLine(reason(error)) });
    }
  };
  const asked = Promise.all(names.map(ask));
  // What answers later is not looked at any more.
  await within(seconds, "DigitalOcean's Volumes", asked).catch(() => over.abort());
  return known;
}
