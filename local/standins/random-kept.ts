/**
 * What all resources of the `random` stand-in share: a value is made once and kept. Nothing is read
 * from outside, no input can change without a new value, and a delete has nothing to do.
 */
import type { Failure, ResourceStandIn } from "./resource";
import type { Properties } from "./wire";

export type KeptValue = Pick<
  ResourceStandIn,
  "replacedBy" | "update" | "delete" | "refresh" | "inputsAfterRefresh"
>;

export const keptValue: KeptValue = {
  replacedBy: () => true,
  update: (_id, planned) => Promise.resolve(planned),
  delete: () => Promise.resolve(),
  refresh: (_id, olds) => Promise.resolve(olds),
  inputsAfterRefresh: (inputs) => inputs,
};

/** The inputs that an import yields: those that are not at their default. */
export function inputsOf(state: Properties, names: readonly string[], defaults: Properties) {
  const kept = names.filter((name) => state[name] !== undefined && state[name] !== defaults[name]);
  return Object.fromEntries(kept.map((name) => [name, state[name]]));
}

export function wholeNumber(inputs: Properties, property: string, least: number): Failure[] {
  const value = inputs[property];
  if (value === undefined) return [];
  if (Number.isInteger(value) && (value as number) >= least) return [];
  return [{ property, reason: `must be a whole number of at least ${least}, got: ${value}` }];
}
