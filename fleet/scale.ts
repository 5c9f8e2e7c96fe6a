/**
 * How many pods the web server and the database have: one, or none while their volumes are another's.
 * Under the program's own field manager, so that the next `up` finds nobody else's field.
 */
import { PatchStrategy, setHeaderOptions } from "@kubernetes/client-node";
import { NAMES, NAMESPACE } from "../components/labels";
import { FIELD_MANAGER } from "../components/ownership";
import type { Cluster } from "./cluster";

type Replicas = 0 | 1;

export async function scaleWeb({ apps }: Cluster, replicas: Replicas): Promise<void> {
  await apps.patchNamespacedDeploymentScale(scaleOf(NAMES.web, replicas), MERGE);
}

export async function scaleDatabase({ apps }: Cluster, replicas: Replicas): Promise<void> {
  await apps.patchNamespacedStatefulSetScale(scaleOf(NAMES.database, replicas), MERGE);
}

const MERGE = setHeaderOptions("Content-Type", PatchStrategy.MergePatch);

function scaleOf(name: string, replicas: Replicas) {
  const where = { name, namespace: NAMESPACE, fieldManager: FIELD_MANAGER };
  return { ...where, body: { spec: { replicas } } };
}
