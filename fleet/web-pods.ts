/** The web server, and waiting for the pods that serve, on the API server's word. */
import type { V1Deployment, V1Pod } from "@kubernetes/client-node";
import { NAMES, NAMESPACE, selectorLabels } from "../components/labels";
import type { Cluster } from "./cluster";
import { awaitObjects } from "./watch";

/** The web server's live Deployment; undefined when the stack is not deployed. */
export async function findWeb({ apps }: Cluster): Promise<V1Deployment | undefined> {
  const { items } = await apps.listNamespacedDeployment({
    namespace: NAMESPACE,
    fieldSelector: `metadata.name=${NAMES.web}`,
  });
  return items[0];
}

export function isReady({ status }: V1Pod): boolean {
  return Boolean(
    status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True"),
  );
}

/** A component's pods, as a query asks for them. */
export function podSelector(component: "web" | "mariadb"): string {
  const labels = Object.entries(selectorLabels(component)).map(([key, value]) => `${key}=${value}`);
  return labels.join(",");
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
  const labelSelector = podSelector(component);
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
