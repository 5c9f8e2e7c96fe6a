/**
 * Disruption budgets that never block a node's drain (design decision 8, incident 14).
 *
 * Objects: PodDisruptionBudgets `matomo` and `matomo-mariadb`. Each of the two workloads has one
 * replica: a budget may only say that this one may go.
 */
import { PodDisruptionBudget } from "@pulumi/kubernetes/policy/v1";
import * as pulumi from "@pulumi/pulumi";
import { NAMES, objectMeta, selectorLabels } from "./labels";

export class Disruption extends pulumi.ComponentResource {
  constructor(name: string, opts: pulumi.ComponentResourceOptions) {
    super("matomo:index:Disruption", name, {}, opts);
    for (const component of ["web", "mariadb"] as const) {
      new PodDisruptionBudget(
        component,
        {
          metadata: objectMeta(component === "web" ? NAMES.web : NAMES.database, component),
          spec: {
            maxUnavailable: 1,
            selector: { matchLabels: selectorLabels(component) },
            // A pod that is broken anyway must not hold up the node it is on.
            unhealthyPodEvictionPolicy: "AlwaysAllow",
          },
        },
        { parent: this },
      );
    }
    this.registerOutputs({});
  }
}
