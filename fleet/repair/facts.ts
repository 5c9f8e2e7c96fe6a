/**
 * What the cluster and DigitalOcean say of the site's volumes, read once and within seconds: a lost
 * volume is found by asking, never by waiting for a pod that waits for it.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { CoreV1Event, V1Pod, V1PodSpec } from "@kubernetes/client-node";
import { getVolume } from "@pulumi/digitalocean/getVolume";
import { NAMESPACE, objectLabels } from "../../components/labels";
import type { Cluster } from "../cluster";
import { Failure, reason } from "../errors";
import { isReady } from "../web-pods";
import type { Facts } from "./judge";

/** How long to wait for what is read, in milliseconds. */
export interface Limits {
  cluster: number;
  /** For DigitalOcean's word, which is not needed where the driver's is plain. */
  cloud: number;
}
/** For somebody who waits for the answer. */
const SOON: Limits = { cluster: 3_000, cloud: 4_000 };

const { "app.kubernetes.io/managed-by": MANAGED_BY } = objectLabels();
/**
 * PersistentVolumes of the driver and of the program have the name of their Volume at DigitalOcean; of
 * any other's Volume the name is not known.
 */
const NAMED_ALIKE = /^(pvc|matomo)-/;

/**
 * Reads all that is known of the volumes of these claims, as the work of `connect`: within it
 * DigitalOcean answers.
 */
export async function readFacts(
  cluster: Cluster,
  claims: string[],
  limits = SOON,
): Promise<Facts[]> {
  const read = readCluster(cluster, claims);
  const facts = await within(limits.cluster, "the cluster's volumes", read);
  const names = facts
    .flatMap(({ found }) => found?.volumeName ?? [])
    .filter((name) => NAMED_ALIKE.test(name));
  const cloud = await readCloud(cluster, names, limits.cloud);
  return facts.map((one) => ({ ...one, cloud: cloud.get(one.found?.volumeName ?? "") }));
}

/** @throws Failure when the answer takes longer */
export async function within<T>(ms: number, what: string, answer: Promise<T>): Promise<T> {
  const over = new AbortController();
  const late = delay(ms, undefined, { signal: over.signal }).then(() => {
    throw new Failure(`no answer in ${ms / 1000} s: ${what}`);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    late.catch(() => undefined);
    over.abort();
  }
}

async function readCluster({ core, storage }: Cluster, claims: string[]): Promise<Facts[]> {
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
async function readCloud({ doks }: Cluster, names: string[], limit: number) {
  const known = new Map<string, Facts["cloud"]>();
  if (!doks) return known;
  const ask = async (name: string) => {
    known.set(name, "silent");
    try {
      known.set(name, { id: (await getVolume({ name, region: doks.region })).id });
    } catch (error) {
      if (/no volumes? found/.test(reason(error))) known.set(name, "missing");
    }
  };
  const asked = Promise.all(names.map(ask));
  await within(limit, "DigitalOcean's Volumes", asked).catch(() => undefined);
  return known;
}
