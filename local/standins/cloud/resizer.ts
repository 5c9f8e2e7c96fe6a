/**
 * Stand-in for the CSI resizer with the DigitalOcean driver behind it, and for the node's part, which
 * simulated nodes do not do: a bound claim that asks for more gets it, in place.
 */
import type { V1PersistentVolume, V1PersistentVolumeClaim } from "@kubernetes/client-node";
import { MERGE } from "./kube";
import type { Kube, Watched } from "./kube";
import { DRIVER } from "./provisioner";
import { gigabytes } from "./quantity";
import type { VolumeStore } from "./volumes";

export function startResizer(kube: Kube, volumes: VolumeStore): void {
  const persistent = kube.watch(
    "/api/v1/persistentvolumes",
    () => kube.core.listPersistentVolume(),
    async ({ spec }) => {
      // A claim may be seen before the volume that it is bound to.
      claims.again((claim) => claim.metadata?.uid === spec?.claimRef?.uid);
    },
  );
  const claims = kube.watch(
    "/api/v1/persistentvolumeclaims",
    () => kube.core.listPersistentVolumeClaimForAllNamespaces(),
    (claim) => resize(kube, volumes, persistent, claim),
  );
}

/** The volume first, then the PersistentVolume, then the claim's status. */
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

function handleOf(
  persistent: Watched<V1PersistentVolume>,
  claim: V1PersistentVolumeClaim,
): string | undefined {
  const csi = persistent.cache.get(claim.spec?.volumeName ?? "")?.spec?.csi;
  return csi?.driver === DRIVER ? csi.volumeHandle : undefined;
}
