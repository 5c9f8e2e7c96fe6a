/**
 * Takes a lost volume's claim away. Nothing at DigitalOcean is deleted by it: the PersistentVolume is
 * told to retain first, so that even a volume that was not lost after all would stay.
 */
import type { V1Pod } from "@kubernetes/client-node";
import { NAMESPACE } from "../../components/labels";
import type { Cluster } from "../cluster";
import { MERGE } from "../patch";
import { awaitObjects } from "../watch";
import { mounts } from "./facts";
import type { PersistentVolume } from "./judge";

/** A claim as it was found, so that its successor is never taken for it. */
export interface LostClaim {
  name: string;
  /** Undefined when there was no claim any more. */
  uid?: string;
  volume?: Pick<PersistentVolume, "name" | "uid" | "ofProgram">;
  /** The driver's id of the volume, unless DigitalOcean still has it. */
  lostVolume?: string;
}

/**
 * Longest wait for pods to go, and for the objects, in seconds. Each takes a few where the cluster is
 * well; a slow one gets far more, as the web pod is away meanwhile either way.
 */
const PODS_SECONDS = 900;
export const OBJECTS_SECONDS = 600;
/** What to do when it took longer: nothing was lost by it. */
export const GO_ON = "run the same command again: the repair goes on from there";

/** Removes the claim and its PersistentVolume. What is gone already is fine. */
export async function release(
  cluster: Cluster,
  claim: LostClaim,
  signal: AbortSignal,
): Promise<void> {
  const { core } = cluster;
  const found = await core.listNamespacedPersistentVolumeClaim({
    namespace: NAMESPACE,
    fieldSelector: `metadata.name=${claim.name}`,
  });
  const { volume } = claim;
  const isThere = volume && (await volumeOf(cluster, volume));
  if (isThere) {
    await core.patchPersistentVolume(
      { name: volume.name, body: { spec: { persistentVolumeReclaimPolicy: "Retain" } } },
      MERGE,
    );
  }
  const uid = found.items[0]?.metadata?.uid;
  if (uid !== undefined && uid === claim.uid) {
    await endPods(cluster, claim.name, signal);
    const body = { preconditions: { uid } };
    await core.deleteNamespacedPersistentVolumeClaim({
      ...{ name: claim.name, namespace: NAMESPACE, body },
    });
    await awaitClaimGone(cluster, claim.name, uid, signal);
  }
  if (isThere) {
    await core.deletePersistentVolume({
      ...{ name: volume.name, body: { preconditions: { uid: volume.uid } } },
    });
    // The driver's own gets another name next time, and may keep its finalizer as long as it likes.
    if (volume.ofProgram) await awaitVolumeGone(cluster, volume, signal);
  }
}

/**
 * A claim stays as long as a pod names it, be it one that ended long ago: the nightly Job's is there at
 * any time. Jobs that wait for the volume would wait for ever.
 */
async function endPods(cluster: Cluster, claim: string, signal: AbortSignal): Promise<void> {
  const { batch, core } = cluster;
  const jobs = await batch.listNamespacedJob({ namespace: NAMESPACE });
  for (const { metadata } of jobs.items.filter(({ spec }) => mounts(spec!.template.spec, claim))) {
    await batch.deleteNamespacedJob({
      ...{ name: metadata!.name!, namespace: NAMESPACE, propagationPolicy: "Background" },
    });
  }
  await awaitObjects<V1Pod, true>(
    cluster,
    {
      path: `/api/v1/namespaces/${NAMESPACE}/pods`,
      list: () => core.listNamespacedPod({ namespace: NAMESPACE }),
    },
    (pods) => !pods.some(({ spec }) => mounts(spec, claim)) || undefined,
    { what: `no pod with claim ${claim}; ${GO_ON}`, seconds: PODS_SECONDS, signal },
  );
}

async function volumeOf({ core }: Cluster, { name, uid }: { name: string; uid: string }) {
  const fieldSelector = `metadata.name=${name}`;
  const { items } = await core.listPersistentVolume({ fieldSelector });
  return items.some(({ metadata }) => metadata!.uid === uid);
}

async function awaitClaimGone(
  cluster: Cluster,
  name: string,
  uid: string,
  signal: AbortSignal,
): Promise<void> {
  const { core } = cluster;
  await awaitObjects(
    cluster,
    {
      path: `/api/v1/namespaces/${NAMESPACE}/persistentvolumeclaims`,
      list: () => core.listNamespacedPersistentVolumeClaim({ namespace: NAMESPACE }),
    },
    (claims) => !claims.some(({ metadata }) => metadata!.uid === uid) || undefined,
    { what: `claim ${name} gone; ${GO_ON}`, seconds: OBJECTS_SECONDS, signal },
  );
}

async function awaitVolumeGone(
  cluster: Cluster,
  { name, uid }: { name: string; uid: string },
  signal: AbortSignal,
): Promise<void> {
  await awaitObjects(
    cluster,
    {
      path: "/api/v1/persistentvolumes",
      list: () => cluster.core.listPersistentVolume(),
    },
    (volumes) => !volumes.some(({ metadata }) => metadata!.uid === uid) || undefined,
    { what: `PersistentVolume ${name} gone; ${GO_ON}`, seconds: OBJECTS_SECONDS, signal },
  );
}
