/**
 * What holds data, and the passwords that open it, is not deleted by a slip.
 *
 * `pulumi destroy`, a renamed resource or a removed line would delete claims and volumes, after which a
 * pod waits for ever (incident 7), and passwords made anew lock the site out of its database
 * (incident 12). Protection is an option of the resource; `retainOnDelete` is not shown to policies, so
 * a volume counts as kept by its reclaim policy, and what is kept in another way is named in `retained`.
 */
import * as z from "zod";
import { KubeObject } from "../core/objects";
import { Fault, stackRule } from "../core/rule";
import { settings } from "../core/settings";

const ownSettings = settings({
  retained: z
    .array(z.string().min(1))
    .default([])
    .describe("Pulumi names of resources that are retained on delete, which a policy cannot see"),
  types: z
    .array(z.string().regex(/^[^:]+:[^:]+:[^:]+$/, "must be a Pulumi type, such as a:b/c:D"))
    .default([])
    .describe("further Pulumi types that hold data"),
});

type Settings = z.infer<typeof ownSettings>;

/** Pulumi types outside Kubernetes that hold data, or the passwords to it. */
const TYPES = [
  "digitalocean:index/databaseCluster:DatabaseCluster",
  "digitalocean:index/spacesBucket:SpacesBucket",
  "digitalocean:index/volume:Volume",
  "random:index/randomPassword:RandomPassword",
];

export default stackRule({
  name: "data-is-protected",
  title: "Data is protected",
  description: "Claims, volumes and random passwords are protected or retained on delete.",
  level: "mandatory",
  severity: "critical",
  incidents: [7, 12],
  remediation: "Set the resource option protect; set a volume's reclaim policy to Retain.",
  url: "https://www.pulumi.com/docs/iac/concepts/options/protect/",
  settings: ownSettings,

  checkStack(stack, judge, settings) {
    const types = [...TYPES, ...settings.types];
    for (const object of stack.objects) {
      const holdsData =
        object.is("PersistentVolumeClaim", "PersistentVolume") || types.includes(object.type);
      const isPatch = object.type.endsWith("Patch");
      if (holdsData && !isPatch) {
        judge(object, () => unprotected(object, settings));
      } else if (object.is("StatefulSet")) {
        judge(object, () => deletesClaims(object, "whenDeleted"));
        judge(object, () => deletesClaims(object, "whenScaled"));
      }
    }
  },
});

function unprotected(object: KubeObject, { retained }: Settings): Fault | undefined {
  const isKept = () =>
    object.is("PersistentVolume") &&
    // A volume without a policy of its own is a static one, which is retained.
    (object.view.at("spec", "persistentVolumeReclaimPolicy").text() ?? "Retain") === "Retain";
  return object.isProtected || retained.includes(object.pulumiName) || isKept()
    ? undefined
    : {
        at: "protect",
        found: "it may be deleted with one command, and the data is gone with it",
        fix: "Set the option protect: true (and retainOnDelete for the day it is lifted).",
      };
}

function deletesClaims(object: KubeObject, when: string): Fault | undefined {
  const at = object.view.at("spec", "persistentVolumeClaimRetentionPolicy", when);
  return at.text() === "Delete"
    ? { at, found: "the claims go when the pods go", fix: "Set it to Retain." }
    : undefined;
}
