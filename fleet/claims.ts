/** How full the volumes are, as the kubelets measure them; only a mounted volume is measured. */
import type { V1Pod } from "@kubernetes/client-node";
import { NAMESPACE } from "../components/labels";
import { get } from "../components/listing";
import type { Cluster } from "./cluster";

interface Summary {
  pods?: {
    volume?: {
      pvcRef?: { name: string; namespace: string };
      usedBytes?: number;
      capacityBytes?: number;
    }[];
  }[];
}

/** Part of each mounted claim that is used, from 0 to 1; a claim that nobody measured is not in it. */
export async function usedParts(cluster: Cluster, pods: V1Pod[]): Promise<Map<string, number>> {
  const nodes = new Set(pods.flatMap(({ spec }) => spec?.nodeName ?? []));
  const used = new Map<string, number>();
  for (const node of nodes) {
    const summary = await get<Summary>(
      cluster.kubeconfig,
      `/api/v1/nodes/${node}/proxy/stats/summary`,
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
