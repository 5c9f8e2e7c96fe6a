/**
 * Reads of the live namespace before a deployment, over the one connection that the stack's settings
 * name. Node's own HTTP client: a full Kubernetes client costs every preview most of a second.
 */
import * as path from "node:path";
import { Refusal } from "./failure";
import { exchange } from "./http";
import type { Kubeconfig } from "./kubeconfig";
import { NAMESPACE } from "./labels";

/**
 * Longest silence of the API server, in milliseconds. One that is well answers at once; one that is only
 * slow is no reason to refuse.
 */
const TIMEOUT_MS = 60_000;

/** What every object has; with METADATA_ONLY a listed one has nothing else. */
export interface KubernetesObject {
  metadata: {
    name: string;
    uid: string;
    creationTimestamp?: string;
    labels?: Record<string, string>;
    annotations?: Record<string, string>;
    managedFields?: { manager?: string }[];
  };
}

/** The list without specs and data: no Secret's value is read only to learn its name. */
export const METADATA_ONLY = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io";

/**
 * Lists objects of the namespace; an absent namespace or kind is an empty list.
 * @throws Refusal when the cluster cannot be reached or refuses the read
 */
export async function list<T extends KubernetesObject>(
  kubeconfig: Kubeconfig,
  collection: string,
  accept?: string,
): Promise<T[]> {
  const [base, plural] = [path.dirname(collection), path.basename(collection)];
  const where = `${base}/namespaces/${NAMESPACE}/${plural}`;
  const found = await get<{ items: T[] | null }>(kubeconfig, where, accept);
  // An empty list of metadata has `items: null`.
  return found?.items ?? [];
}

/**
 * Reads what is at a path of the API server; undefined when there is nothing.
 * @throws Refusal when the cluster cannot be reached or refuses the read
 */
export async function get<T = KubernetesObject>(
  kubeconfig: Kubeconfig,
  where: string,
  accept = "application/json",
  timeout = TIMEOUT_MS,
): Promise<T | undefined> {
  const url = new URL(where, kubeconfig.server);
  const { headers, ...options } = { ...kubeconfig.requestOptions(), timeout };
  const asked = exchange(url, { ...options, headers: { ...headers, accept } });
  const { status, body } = await asked.catch(({ message }: Error) => {
    throw new Refusal(`the cluster at ${url.origin} cannot be reached: ${message}`);
  });
  if (status === 404) return undefined;
  if (status !== 200) {
    throw new Refusal(
      `the cluster at ${url.origin} answered ${status} to a read of ${url.pathname}`,
    );
  }
  return JSON.parse(body) as T;
}
