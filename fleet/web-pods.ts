/** Waiting for the pods that serve, on the API server's word. */
import type { V1Pod } from "@kubernetes/client-node";
import { NAMESPACE, selectorLabels } from "../components/labels";
import type { Cluster } from "./cluster";
import { awaitObjects } from "./watch";

export function isReady({ status }: V1Pod): boolean {
  return Boolean(
    status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True"),
  );
}

/**
 * Waits until a component's pods are as the condition says.
 * @throws Failure after so many seconds; Interrupted
 */
export async function awaitPods(
  cluster: Cluster,
  component: "web" | "mariadb",
  what: string,
  seconds: number,
  signal: AbortSignal,
  condition: (pods: V1Pod[]) => boolean,
): Promise<void> {
  const labels = Object.entries(selectorLabels(component)).map(([key, value]) => `${key}=${value}`);
  const labelSelector = labels.join(",");
  await awaitObjects(
    cluster,
    {
      path: `/api/v1/namespaces/${NAMESPACE}/pods`,
      list: () => cluster.core.listNamespacedPod({ namespace: NAMESPACE, labelSelector }),
      labelSelector,
    },
    (pods) => condition(pods) || undefined,
    { what, seconds, signal },
  );
}

/**
 * Waits until one web pod is there, and ready. After a change of it, an `up` may end while the old pod
 * still ends its requests.
 */
export function awaitServing(
  cluster: Cluster,
  seconds: number,
  signal: AbortSignal,
): Promise<void> {
  return awaitPods(cluster, "web", "one ready web pod", seconds, signal, (pods) => {
    return pods.length === 1 && !pods[0].metadata!.deletionTimestamp && isReady(pods[0]);
  });
}
