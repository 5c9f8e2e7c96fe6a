/**
 * What makes pods in ways that this pack cannot see: Helm Releases, and kinds that carry a pod
 * template but are not known here. They are named, and where their pods would decide a judgement
 * it stays open.
 */
import { OutOfSight } from "./data";
import { orElse } from "./logic";
import { Kind, KubeObject } from "./objects";
import type { Stack } from "./stack";
import { workloadOf } from "./workloads";

/** Built-in kinds that hold a pod template without making pods. */
const TEMPLATES_ONLY: Kind[] = ["PodTemplate", "ControllerRevision"];

/** Why an object's pods cannot be analysed, or undefined when it makes none or they can be. */
export function opaqueReason(object: KubeObject): string | undefined {
  if (!object.type.startsWith("kubernetes:") || workloadOf(object)) {
    return undefined;
  }
  if (object.is("Release")) {
    return "a Helm Release is one object to Pulumi, and what its chart makes cannot be seen (a Chart's can)";
  }
  if (object.is(...TEMPLATES_ONLY)) {
    return undefined;
  }
  return object.view.holdsContainers()
    ? `kind ${object.kind} of ${object.group || "the core group"} makes pods in a way that this pack does not know`
    : undefined;
}

/** Ends a judgement about "no such pod" where something opaque may make that pod. */
export function opaqueIn(stack: Stack, namespace: string): void {
  const opaque = stack.opaque.find((o) => orElse(() => o.namespace() === namespace, true));
  if (opaque) {
    throw new OutOfSight(opaque.words, "what it makes", "not visible to this pack");
  }
}
