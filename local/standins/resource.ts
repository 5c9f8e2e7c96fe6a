/**
 * What a stand-in for a provider's resource has to say, and the engine's check and diff worked out
 * from that, in the way of the bridged Terraform providers: the old state is compared with the
 * state that the inputs ask for, with all defaults filled in, so that absent and default are equal.
 */
import { isDeepStrictEqual } from "node:util";
import { UNKNOWN, hasUnknown } from "./wire";
import type { Properties } from "./wire";

export interface Failure {
  property: string;
  reason: string;
}

export interface Change {
  property: string;
  kind: "ADD" | "DELETE" | "UPDATE";
  replace: boolean;
}

export interface CheckContext {
  /** The resource's Pulumi name, for names that the provider makes. */
  name: string;
  /** The inputs of the last deployment; empty for a new resource. */
  olds: Properties;
}

export interface ResourceStandIn {
  /** Properties that only the provider sets: unknown in the preview of a create. */
  computed: readonly string[];
  /** Properties that the real schema calls sensitive. */
  secret: readonly string[];
  /** Inputs that the schema allows; any other is a failure. */
  inputs: readonly string[];
  /** Faults in the inputs, given with their defaults; called with known values only. */
  validate(inputs: Properties): Failure[];
  /** Inputs that the provider makes up, such as an automatic name. */
  complete?(inputs: Properties, context: CheckContext): Properties;
  /** The inputs with all defaults filled in. */
  withDefaults(inputs: Properties): Properties;
  /** Whether a change of this property makes a new resource. */
  replacedBy(property: string, before: unknown, after: unknown): boolean;
  /** Whether the old resource must go first, because the new one has the same fixed name. */
  deleteBeforeReplace?(olds: Properties, news: Properties): boolean;
  /** Throws when an update in place is one that the provider refuses. */
  refuse?(olds: Properties, planned: Properties): void;
  create(planned: Properties): Promise<{ id: string; state: Properties }>;
  update(id: string, planned: Properties, olds: Properties): Promise<Properties>;
  delete(id: string): Promise<void>;
  /** The live state by an import id, or undefined when there is none. */
  import(id: string): Promise<{ id: string; state: Properties; inputs: Properties } | undefined>;
  /** The live state of a known resource, or undefined when it is gone. */
  refresh(id: string, olds: Properties): Promise<Properties | undefined>;
  inputsAfterRefresh(inputs: Properties, refreshed: Properties): Properties;
}

export type FunctionStandIn = (args: Properties) => Promise<Properties>;

export function checkInputs(
  resource: ResourceStandIn,
  news: Properties,
  context: CheckContext,
): { inputs: Properties; failures: Failure[] } {
  const inputs = resource.complete?.(news, context) ?? news;
  const failures = Object.keys(inputs)
    .filter((name) => !resource.inputs.includes(name) && name !== "__defaults")
    .map((property) => ({
      property,
      reason: `is no input of this resource; it has ${resource.inputs.join(", ")}`,
    }));
  const known = Object.entries(inputs).filter(([, value]) => !hasUnknown(value));
  return { inputs, failures: [...failures, ...resource.validate(Object.fromEntries(known))] };
}

/** The state that the inputs ask for; what the provider computes is kept, or not known yet. */
export function plannedState(
  resource: ResourceStandIn,
  inputs: Properties,
  olds: Properties | undefined,
): Properties {
  const planned = withoutDefaultsKey(resource.withDefaults(inputs));
  for (const name of resource.computed) {
    planned[name] ??= olds ? olds[name] : UNKNOWN;
  }
  return planned;
}

export function diffState(
  resource: ResourceStandIn,
  olds: Properties,
  news: Properties,
): { changes: Change[]; deleteBeforeReplace: boolean } {
  const planned = plannedState(resource, news, olds);
  const names = new Set([...Object.keys(olds), ...Object.keys(planned)]);
  const changes: Change[] = [];
  for (const property of names) {
    const [before, after] = [olds[property], planned[property]];
    if (property === "__defaults" || same(before, after)) continue;
    const kind = isAbsent(before) ? "ADD" : isAbsent(after) ? "DELETE" : "UPDATE";
    changes.push({ property, kind, replace: resource.replacedBy(property, before, after) });
  }
  const replace = changes.some((change) => change.replace);
  if (!replace) resource.refuse?.(olds, planned);
  return {
    changes,
    deleteBeforeReplace: replace && (resource.deleteBeforeReplace?.(olds, news) ?? false),
  };
}

function same(before: unknown, after: unknown): boolean {
  if (isAbsent(before) && isAbsent(after)) return true;
  // A state has no unknown in it, so that an unknown always counts as a change.
  return isDeepStrictEqual(before, after);
}

/** Terraform knows no difference between an absent list or map and an empty one. */
function isAbsent(value: unknown): boolean {
  if (value === undefined || value === null) return true;
  return typeof value === "object" && Object.keys(value).length === 0;
}

function withoutDefaultsKey(properties: Properties): Properties {
  return Object.fromEntries(Object.entries(properties).filter(([name]) => name !== "__defaults"));
}
