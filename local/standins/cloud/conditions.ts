/**
 * Status conditions, as every controller of a cluster writes them: a new time only when something
 * changed, and no write at all when nothing did, or the write would call for the next one.
 */
import { isDeepStrictEqual } from "node:util";
import type { KubernetesObject } from "@kubernetes/client-node";

export interface Condition {
  type: string;
  status: "True" | "False";
  reason: string;
  message: string;
  observedGeneration?: number;
  lastTransitionTime: string;
}

export function condition(
  object: KubernetesObject,
  type: string,
  holds: boolean,
  reason: string,
  message = "",
): Condition {
  return {
    type,
    status: holds ? "True" : "False",
    reason,
    message,
    observedGeneration: object.metadata?.generation,
    lastTransitionTime: new Date().toISOString(),
  };
}

/** Whether two statuses say the same, whenever they were written. */
export function sameStatus(before: unknown, after: unknown): boolean {
  return isDeepStrictEqual(timeless(before), timeless(after));
}

function timeless(status: unknown): unknown {
  return JSON.parse(
    JSON.stringify(status ?? {}, (key, value) => (key === "lastTransitionTime" ? "" : value)),
    (_key, value) =>
      value && typeof value === "object" && !Array.isArray(value)
        ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
        : value,
  );
}
