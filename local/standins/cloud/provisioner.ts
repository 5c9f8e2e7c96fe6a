/**
 * Stand-in for the CSI provisioner with the DigitalOcean driver behind it: volumes for the claims of
 * its storage classes, and their end when nobody claims them any more.
 */
import type {
  V1PersistentVolume,
  V1PersistentVolumeClaim,
  V1StorageClass,
} from "@kubernetes/client-node";
import { MERGE, createOnce, ifFound, log } from "./kube";
import type { Kube } from "./kube";
import { gigabytes } from "./quantity";
import type { VolumeStore } from "./volumes";

export const DRIVER = "dobs.csi.digitalocean.com";
const FINALIZER = "external-provisioner.volume.kubernetes.io/finalizer";
const DESCRIPTION = "Created by DigitalOcean CSI driver";

export function startProvisioner(kube: Kube, volumes: VolumeStore, region: string): void {
  const { core } = kube;
  kube.watch(
    "/api/v1/persistentvolumes",
    () => core.listPersistentVolume(),
    (volume) => reconcileVolume(kube, volumes, volume),
  );
  kube.watch(
    "/api/v1/persistentvolumeclaims",
    () => core.listPersistentVolumeClaimForAllNamespaces(),
    (claim) => provision(kube, volumes, region, claim),
  );
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
