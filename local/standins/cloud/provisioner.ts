/**
 * Stand-in for the controller side of the DigitalOcean CSI driver's volumes: what its provisioner
 * and its resizer do with claims of its storage classes and with the volumes bound to them.
 */
import type {
  V1PersistentVolume,
  V1PersistentVolumeClaim,
  V1StorageClass,
} from "@kubernetes/client-node";
import { MERGE, createOnce, ifFound, log } from "./kube";
import type { Kube, Watched } from "./kube";
import { gigabytes } from "./quantity";
import type { VolumeStore } from "./volumes";

export const DRIVER = "dobs.csi.digitalocean.com";
const FINALIZER = "external-provisioner.volume.kubernetes.io/finalizer";
const DESCRIPTION = "Created by DigitalOcean CSI driver";

export function startProvisioner(kube: Kube, volumes: VolumeStore, region: string): void {
  const { core } = kube;
  const persistent = kube.watch(
    "/api/v1/persistentvolumes",
    () => core.listPersistentVolume(),
    (volume) => reconcileVolume(kube, volumes, volume),
  );
  const claims = kube.watch(
    "/api/v1/persistentvolumeclaims",
    () => core.listPersistentVolumeClaimForAllNamespaces(),
    async (claim) => {
      await provision(kube, volumes, region, claim);
      await resize(kube, volumes, persistent, claim);
    },
  );
  // A resize that failed because the volume was lost goes on when it is found again.
  volumes.on("change", (id) => {
    persistent.again((volume) => volume.spec?.csi?.volumeHandle === id);
    claims.again((claim) => handleOf(persistent, claim) === id);
  });
}

/** Pending claims of our classes get a volume and a PersistentVolume, both exactly once. */
async function provision(
  kube: Kube,
  volumes: VolumeStore,
  region: string,
  claim: V1PersistentVolumeClaim,
): Promise<void> {
  const { metadata, spec, status } = claim;
  // The volume controller says with this annotation whose turn it is.
  const provisioner = metadata?.annotations?.["volume.kubernetes.io/storage-provisioner"];
  if (provisioner !== DRIVER || spec?.volumeName || status?.phase !== "Pending") return;
  if (metadata?.deletionTimestamp) return;
  const others = spec?.accessModes?.filter((mode) => !mode.startsWith("ReadWriteOnce")) ?? [];
  if (others.length > 0) {
    const capability = "volume capabilities cannot be satisified: invalid access mode";
    return provisioningFailed(kube, claim, `${capability} ${others.join(", ")}`);
  }
  const storageClass = await kube.storage.readStorageClass({ name: spec?.storageClassName ?? "" });
  // The claim's uid makes the name, so that a second run finds what the first one made.
  const name = `pvc-${metadata?.uid}`;
  const size = gigabytes(spec?.resources?.requests?.storage ?? "16Gi");
  const volume =
    volumes.list({ name, region })[0] ??
    volumes.create({ name, region, size_gigabytes: size, description: DESCRIPTION });
  const body = persistentVolume(
    name,
    volume.id,
    volume.size_gigabytes,
    region,
    claim,
    storageClass,
  );
  await createOnce(kube.core.createPersistentVolume({ body }));
}

function persistentVolume(
  name: string,
  volumeHandle: string,
  size: number,
  region: string,
  claim: V1PersistentVolumeClaim,
  storageClass: V1StorageClass,
): V1PersistentVolume {
  const reclaimPolicy = storageClass.reclaimPolicy ?? "Delete";
  return {
    metadata: {
      name,
      annotations: { "pv.kubernetes.io/provisioned-by": DRIVER },
      finalizers: reclaimPolicy === "Delete" ? [FINALIZER] : [],
    },
    spec: {
      accessModes: claim.spec?.accessModes,
      capacity: { storage: `${size}Gi` },
      claimRef: {
        apiVersion: "v1",
        kind: "PersistentVolumeClaim",
        name: claim.metadata?.name,
        namespace: claim.metadata?.namespace,
        uid: claim.metadata?.uid,
      },
      csi: {
        driver: DRIVER,
        fsType: storageClass.parameters?.["csi.storage.k8s.io/fstype"] ?? "ext4",
        volumeHandle,
        volumeAttributes: { [`${DRIVER}/volume-name`]: name },
      },
      nodeAffinity: {
        required: {
          nodeSelectorTerms: [
            { matchExpressions: [{ key: "region", operator: "In", values: [region] }] },
          ],
        },
      },
      persistentVolumeReclaimPolicy: reclaimPolicy,
      storageClassName: storageClass.metadata?.name,
      volumeMode: claim.spec?.volumeMode ?? "Filesystem",
    },
  };
}

/** A bound claim that asks for more gets it: volume, PersistentVolume, then the claim's status. */
async function resize(
  kube: Kube,
  volumes: VolumeStore,
  persistent: Watched<V1PersistentVolume>,
  claim: V1PersistentVolumeClaim,
): Promise<void> {
  const wanted = claim.spec?.resources?.requests?.storage;
  const given = claim.status?.capacity?.storage;
  const handle = handleOf(persistent, claim);
  if (!wanted || !given || !handle || gigabytes(wanted) <= gigabytes(given)) return;
  const size = gigabytes(wanted);
  if (volumes.get(handle).size_gigabytes < size) volumes.resize(handle, size);
  const capacity = { storage: `${size}Gi` };
  const name = claim.spec?.volumeName ?? "";
  await kube.core.patchPersistentVolume({ name, body: { spec: { capacity } } }, MERGE);
  await kube.core.patchNamespacedPersistentVolumeClaimStatus(
    {
      name: claim.metadata?.name ?? "",
      namespace: claim.metadata?.namespace ?? "",
      body: { status: { capacity } },
    },
    MERGE,
  );
}

/** A released volume with policy Delete goes, and the disk with it; Retain keeps both. */
async function reconcileVolume(
  kube: Kube,
  volumes: VolumeStore,
  volume: V1PersistentVolume,
): Promise<void> {
  const { metadata, spec, status } = volume;
  const name = metadata?.name ?? "";
  if (spec?.csi?.driver !== DRIVER) return;
  const kept = metadata?.finalizers?.filter((finalizer) => finalizer !== FINALIZER) ?? [];
  const finalized = kept.length !== (metadata?.finalizers?.length ?? 0);
  const letGo = () =>
    kube.core.patchPersistentVolume({ name, body: { metadata: { finalizers: kept } } }, MERGE);
  if (spec.persistentVolumeReclaimPolicy !== "Delete") {
    if (finalized) await letGo();
    return;
  }
  const ours = metadata?.annotations?.["pv.kubernetes.io/provisioned-by"] === DRIVER;
  if (!ours || status?.phase !== "Released") return;
  // A volume that is lost counts as deleted, one that is still attached is refused.
  const { volumeHandle } = spec.csi;
  if (volumes.find(volumeHandle)) volumes.delete(volumeHandle);
  if (!metadata?.deletionTimestamp) await ifFound(kube.core.deletePersistentVolume({ name }));
  if (finalized) await ifFound(letGo());
}

function handleOf(
  persistent: Watched<V1PersistentVolume>,
  claim: V1PersistentVolumeClaim,
): string | undefined {
  const csi = persistent.cache.get(claim.spec?.volumeName ?? "")?.spec?.csi;
  return csi?.driver === DRIVER ? csi.volumeHandle : undefined;
}

async function provisioningFailed(
  kube: Kube,
  claim: V1PersistentVolumeClaim,
  why: string,
): Promise<void> {
  const { name, namespace = "", uid } = claim.metadata ?? {};
  const { storageClassName } = claim.spec ?? {};
  const cause = `rpc error: code = InvalidArgument desc = ${why}`;
  const message = `failed to provision volume with StorageClass "${storageClassName}": ${cause}`;
  log(`claim ${namespace}/${name}: ${message}`);
  const now = new Date();
  await kube.core.createNamespacedEvent({
    namespace,
    body: {
      metadata: { generateName: `${name}.`, namespace },
      involvedObject: {
        apiVersion: "v1",
        kind: "PersistentVolumeClaim",
        name,
        namespace,
        uid,
      },
      type: "Warning",
      reason: "ProvisioningFailed",
      message,
      source: { component: DRIVER },
      firstTimestamp: now,
      lastTimestamp: now,
      count: 1,
    },
  });
}
