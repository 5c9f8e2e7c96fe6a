/**
 * Stand-in for the CSI attacher with the DigitalOcean driver behind it: acknowledges a
 * VolumeAttachment when its volume exists and is on no other node, and says what the driver says
 * when not, which the attach/detach controller then tells in the pod's events (incidents 2, 7, 13).
 */
import { createHash } from "node:crypto";
import type { V1VolumeAttachment } from "@kubernetes/client-node";
import { MERGE, ifFound } from "./kube";
import type { Kube } from "./kube";
import { DRIVER } from "./provisioner";
import type { VolumeStore } from "./volumes";

const FINALIZER = "external-attacher/dobs-csi-digitalocean-com";

export function startAttacher(kube: Kube, volumes: VolumeStore): void {
  const attachments = kube.watch(
    "/apis/storage.k8s.io/v1/volumeattachments",
    () => kube.storage.listVolumeAttachment(),
    (attachment) => reconcile(kube, volumes, attachment),
  );
  // A volume that was found or detached can be attached now; the real attacher tries in a while.
  volumes.on("change", () => attachments.again(({ status }) => !status?.attached));
}

async function reconcile(
  kube: Kube,
  volumes: VolumeStore,
  attachment: V1VolumeAttachment,
): Promise<void> {
  const { metadata, spec, status } = attachment;
  if (spec.attacher !== DRIVER) return;
  const name = metadata?.name ?? "";
  const claimed = spec.source.persistentVolumeName ?? "";
  const volume = await ifFound(kube.core.readPersistentVolume({ name: claimed }));
  const handle = volume?.spec?.csi?.volumeHandle ?? "";
  const droplet = dropletId(spec.nodeName);
  const finalizers = metadata?.finalizers ?? [];
  if (metadata?.deletionTimestamp) {
    if (!finalizers.includes(FINALIZER)) return;
    if (volumes.find(handle)?.droplet_ids.includes(droplet)) volumes.detach(handle, droplet);
    const rest = finalizers.filter((finalizer) => finalizer !== FINALIZER);
    await ifFound(patch(kube, name, { finalizers: rest }));
    return;
  }
  if (status?.attached) return;
  if (!finalizers.includes(FINALIZER)) {
    await patch(kube, name, { finalizers: [...finalizers, FINALIZER] });
  }
  const refusal = refusalOf(volumes, handle, droplet);
  if (!refusal) volumes.attach(handle, droplet);
  const body = {
    status: refusal
      ? { attached: false, attachError: { message: refusal, time: new Date().toISOString() } }
      : { attached: true, attachError: null },
  };
  if (refusal && status?.attachError?.message === refusal) return;
  await kube.storage.patchVolumeAttachmentStatus({ name, body }, MERGE);
}

/** What the driver answers, in its words; undefined when it attaches. */
export function refusalOf(
  volumes: VolumeStore,
  handle: string,
  droplet: number,
): string | undefined {
  const volume = volumes.find(handle);
  if (!volume) return `rpc error: code = NotFound desc = volume "${handle}" does not exist`;
  const [attached] = volume.droplet_ids;
  if (attached === undefined || attached === droplet) return undefined;
  return (
    `rpc error: code = FailedPrecondition desc = volume "${handle}" is attached to the wrong ` +
    `droplet (${attached}), detach the volume to fix it`
  );
}

/** A node's droplet, of which the embedded cluster has none: a number that its name makes. */
export function dropletId(nodeName: string): number {
  return createHash("sha256").update(nodeName).digest().readUInt32BE() % 1_000_000_000;
}

function patch(kube: Kube, name: string, metadata: { finalizers: string[] }) {
  return kube.storage.patchVolumeAttachment({ name, body: { metadata } }, MERGE);
}
