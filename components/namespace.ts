/**
 * The site's namespace, with Pod Security `restricted` enforced on everything in it.
 *
 * Objects: Namespace `matomo`, and in the state alone the identity that it carries (ownership.ts).
 * Deleting it would delete every claim in it, so it is protected and stays behind when the stack is
 * destroyed.
 */
import { Namespace } from "@pulumi/kubernetes/core/v1";
import * as pulumi from "@pulumi/pulumi";
import { RandomId } from "@pulumi/random/randomId";
import { NAMESPACE, objectLabels } from "./labels";
import { identityAnnotations, sameSite } from "./ownership";

const POD_SECURITY = Object.fromEntries(
  ["enforce", "audit", "warn"].flatMap((mode) => [
    [`pod-security.kubernetes.io/${mode}`, "restricted"],
    [`pod-security.kubernetes.io/${mode}-version`, "latest"],
  ]),
);

export interface SiteNamespaceArgs {
  /**
   * What the state has to hold as long as it holds the identity: an interrupted `destroy` that lost
   * a password has lost the identity before.
   */
  passwords: pulumi.Resource;
  /** Identity of the live namespace; undefined when it has none. */
  liveIdentity?: string;
}

export class SiteNamespace extends pulumi.ComponentResource {
  /** Its name, known once it exists. */
  readonly name: pulumi.Output<string>;
  /** What everything else depends on. */
  readonly resource: Namespace;

  constructor(name: string, args: SiteNamespaceArgs, opts: pulumi.ComponentResourceOptions) {
    super("matomo:index:Namespace", name, {}, opts);
    const identity = new RandomId(
      "identity",
      { byteLength: 8 },
      // Every argument forces a replacement: it is made once.
      { parent: this, protect: true, dependsOn: [args.passwords], ignoreChanges: ["byteLength"] },
    );
    this.resource = new Namespace(
      "namespace",
      {
        metadata: {
          name: NAMESPACE,
          labels: { ...objectLabels(), ...POD_SECURITY },
          annotations: identityAnnotations(sameSite(identity.hex, args.liveIdentity)),
        },
      },
      { parent: this, protect: true, retainOnDelete: true },
    );
    this.name = this.resource.metadata.name;
    this.registerOutputs({ name: this.name });
  }
}
