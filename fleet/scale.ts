/** How many pods the web server and the database have: one, or none while their volumes are another's. */
import { NAMES } from "../components/labels";
import type { Cluster } from "./cluster";
import { MERGE, ownPatch } from "./patch";

type Replicas = 0 | 1;

export async function scaleWeb({ apps }: Cluster, replicas: Replicas): Promise<void> {
  await apps.patchNamespacedDeploymentScale(ownPatch(NAMES.web, { spec: { replicas } }), MERGE);
}

export async function scaleDatabase({ apps }: Cluster, replicas: Replicas): Promise<void> {
  await apps.patchNamespacedStatefulSetScale(
    ownPatch(NAMES.database, { spec: { replicas } }),
    MERGE,
  );
}
