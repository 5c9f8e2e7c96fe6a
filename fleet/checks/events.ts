/**
 * From the engine's events of one preview to what a check says of the stack. Only paths and names
 * are taken over, never a value: what is secret cannot get into a report.
 */
import type {
  DiagnosticEvent,
  EngineEvent,
  StepEventMetadata,
} from "@pulumi/pulumi/automation/events";
import { unknownValue } from "@pulumi/pulumi/runtime/rpc";
import { z } from "zod";
import { ownWarning, withoutMarkup } from "../operation";
import type { Change, Violation } from "./report";
import { fromEvent } from "./violations";

/** Kubernetes' names, not the text that stands for a secret or for what is not known yet. */
const label = z
  .string()
  .regex(/^[a-z0-9][a-z0-9.-]*$/)
  .refine((text) => text !== unknownValue);
const nameSchema = z.object({ name: label, namespace: label.optional() });

/** What would be lost, or looked for in vain, were it replaced or deleted. */
const DATA = new Set([
  "kubernetes:core/v1:Namespace",
  "kubernetes:core/v1:PersistentVolume",
  "kubernetes:core/v1:PersistentVolumeClaim",
  "kubernetes:core/v1:Secret",
  "kubernetes:apps/v1:StatefulSet",
  "digitalocean:index/volume:Volume",
  "random:index/randomId:RandomId",
  "random:index/randomPassword:RandomPassword",
]);

/** A step's operation as a person counts it; the parts of a replacement are one. */
const OPERATIONS: Record<string, Change["op"]> = {
  create: "create",
  update: "update",
  delete: "delete",
  replace: "replace",
  "create-replacement": "replace",
  "delete-replaced": "replace",
  "import-replacement": "replace",
};

/** What the events of one preview come to. */
export interface Summary {
  objects: number;
  changes: Change[];
  violations: Violation[];
  /** What the program says of the settings. */
  warnings: string[];
  /** What the engine and the program reported as errors. */
  errors: string[];
}

/** `PersistentVolumeClaim matomo/data`: a resource in words, by its own name where it is known. */
function objectOf({ urn, type, new: wanted, old }: StepEventMetadata): string {
  const metadata: unknown = (wanted ?? old)?.inputs?.metadata;
  const known = nameSchema.safeParse(metadata).data;
  const name = known ? [known.namespace, known.name].filter(Boolean).join("/") : urn.split("::")[3];
  return `${type.split(":").at(-1)} ${name}`;
}

/** The summary of a preview; the order of the events is the order of the changes. */
export function summarise(events: EngineEvent[]): Summary {
  const objects = new Set<string>();
  const changes = new Map<string, Change>();
  const violations: Violation[] = [];
  const warnings: string[] = [];
  const errors: string[] = [];
  for (const { resourcePreEvent, policyEvent, diagnosticEvent } of events) {
    if (resourcePreEvent) {
      const { metadata } = resourcePreEvent;
      if (metadata.op !== "delete" && metadata.op !== "delete-replaced") objects.add(metadata.urn);
      remember(changes, metadata);
    } else if (policyEvent) {
      violations.push(fromEvent(policyEvent));
    } else if (diagnosticEvent && isFailure(diagnosticEvent)) {
      errors.push(withoutMarkup(diagnosticEvent.message));
    } else if (diagnosticEvent) {
      const warning = ownWarning(diagnosticEvent);
      if (warning !== undefined) warnings.push(warning);
    }
  }
  return { objects: objects.size, changes: [...changes.values()], violations, warnings, errors };
}

function remember(changes: Map<string, Change>, metadata: StepEventMetadata): void {
  const op = OPERATIONS[metadata.op];
  if (!op) return;
  const { urn, detailedDiff, diffs, keys } = metadata;
  const known = changes.get(urn);
  const merged = (former: string[] = [], more: string[]) => [...new Set([...former, ...more])];
  changes.set(urn, {
    op: known?.op === "replace" ? "replace" : op,
    object: objectOf(metadata),
    urn,
    differs: merged(
      known?.differs,
      Object.keys(detailedDiff ?? {}).concat(detailedDiff ? [] : (diffs ?? [])),
    ),
    replacedFor: merged(known?.replacedFor, op === "replace" ? (keys ?? []) : []),
    holdsData: DATA.has(metadata.type),
  });
}

/** An error; or a warning under which the preview is worth nothing, as it saw no cluster. */
function isFailure({ severity, message }: DiagnosticEvent): boolean {
  // What the engine broke off because of another error.
  if (message.includes("context canceled")) return false;
  return (
    severity === "error" || (severity === "warning" && /cluster is unreachable/i.test(message))
  );
}
