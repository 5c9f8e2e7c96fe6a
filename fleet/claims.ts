/**
 * How full the volumes are: as the kubelets measure the mounted ones, and as the last backup's pod
 * said of its own, which is mounted by that pod alone.
 */
import type { V1PersistentVolumeClaim, V1Pod } from "@kubernetes/client-node";
import { NAMES, NAMESPACE } from "../components/labels";
import { get } from "../components/listing";
import { parseBytes } from "../policy/core/quantity";
import type { Cluster } from "./cluster";

/** Longest wait for a kubelet, in milliseconds: without its word the volume is only not measured. */
const STATS_MS = 15_000;

interface Summary {
  pods?: {
    volume?: {
      pvcRef?: { name: string; namespace: string };
      usedBytes?: number;
      capacityBytes?: number;
    }[];
  }[];
}

/** Part of each claim that is used, from 0 to 1; a claim that nobody measured is not in it. */
export async function usedParts(
  cluster: Cluster,
  pods: V1Pod[],
  claims: V1PersistentVolumeClaim[],
): Promise<Map<string, number>> {
  const nodes = new Set(pods.flatMap(({ spec }) => spec?.nodeName ?? []));
  const used = new Map<string, number>();
  const claim = claims.find(({ metadata }) => metadata!.name === NAMES.backupClaim);
  const backup = claim && usedByBackups(pods, claim);
  if (backup !== undefined) used.set(NAMES.backupClaim, backup);
  for (const node of nodes) {
    const summary = await get<Summary>(
      cluster.kubeconfig,
      `/api/v1/nodes/${node}/proxy/stats/summary`,
      "application/json",
      STATS_MS,
    )
      // Simulated nodes have no kubelet, and not everybody may ask one.
      .catch(() => undefined);
    for (const { pvcRef, usedBytes, capacityBytes } of (summary?.pods ?? []).flatMap(
      ({ volume = [] }) => volume,
    )) {
      if (pvcRef?.namespace === NAMESPACE && usedBytes !== undefined && capacityBytes) {
        used.set(pvcRef.name, usedBytes / capacityBytes);
      }
    }
  }
  return used;
}

/**
 * What the newest backup pod that ended well left behind as its last message (backup.sh). The claim may
 * have grown since, or have been made anew.
 */
export function usedByBackups(
  pods: V1Pod[],
  { metadata, status }: V1PersistentVolumeClaim,
): number | undefined {
  const made = +new Date(metadata!.creationTimestamp ?? 0);
  const capacity = Number(parseBytes(status?.capacity?.storage) ?? 0n);
  const messages = pods.flatMap(({ metadata, status }) => {
    if (metadata?.labels?.["app.kubernetes.io/component"] !== "backup") return [];
    // Where there is a step after it, the one that measured is an init container.
    const ended = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
    return ended.flatMap(({ state }) => {
      const { exitCode, finishedAt, message } = state?.terminated ?? {};
      return exitCode === 0 && message ? [{ at: +new Date(finishedAt ?? 0), message }] : [];
    });
  });
  const [newest] = messages.filter(({ at }) => at > made).sort((a, b) => b.at - a.at);
  try {
    const { volume } = JSON.parse(newest?.message ?? "") as { volume: Record<string, number> };
    const { bytes, free } = volume;
    return bytes > 0 ? (bytes - free) / Math.max(bytes, capacity) : undefined;
  } catch {
    return undefined;
  }
}
