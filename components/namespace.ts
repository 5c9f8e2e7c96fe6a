/**
 * The site's namespace, with Pod Security `restricted` enforced on everything in it.
 *
 * Objects: Namespace `matomo`. Deleting it would delete every claim in it, so it is protected and
 * stays behind when the stack is destroyed.
 */
import { Namespace } from "@pulumi/kubernetes/core/v1";
import * as pulumi from "@pulumi/pulumi";
import { NAMESPACE, objectLabels } from "./labels";

const POD_SECURITY = Object.fromEntries(
  ["enforce", "audit", "warn"].flatMap((mode) => [
    [`pod-security.kubernetes.io/${mode}`, "restricted"],
    [`pod-security.kubernetes.io/${mode}-version`, "latest"],
  ]),
);

export class SiteNamespace extends pulumi.ComponentResource {
  /** Its name, known once it exists. */
  readonly name: pulumi.Output<string>;
  /** What everything else depends on. */
  readonly resource: Namespace;

  constructor(name: string, opts: pulumi.ComponentResourceOptions) {
    super("matomo:index:Namespace", name, {}, opts);
    this.resource = new Namespace(
      "namespace",
      { metadata: { name: NAMESPACE, labels: { ...objectLabels(), ...POD_SECURITY } } },
      { parent: this, protect: true, retainOnDelete: true },
    );
    this.name = this.resource.metadata.name;
    this.registerOutputs({ name: this.name });
  }
}
