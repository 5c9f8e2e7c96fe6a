/** Changes of live objects, where reading and writing them again would undo somebody else's. */
import { PatchStrategy, setHeaderOptions } from "@kubernetes/client-node";
import { NAMESPACE } from "../components/labels";
import { FIELD_MANAGER } from "../components/ownership";

/** The kind of a patch: what it names is changed, and null taken away. */
export const MERGE = setHeaderOptions("Content-Type", PatchStrategy.MergePatch);

/** The same, with lists whose items are found by their names. */
export const STRATEGIC = setHeaderOptions("Content-Type", PatchStrategy.StrategicMergePatch);

/**
 * A patch of an object of the program's, under its own field manager: the next `up` finds nobody else's
 * field.
 */
export function ownPatch(name: string, body: object) {
  return { name, namespace: NAMESPACE, fieldManager: FIELD_MANAGER, body };
}
