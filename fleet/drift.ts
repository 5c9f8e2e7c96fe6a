/** What differs from the last `up`, as the engine's refresh sees it; nothing is changed. */
import type { EngineEvent, StepEventMetadata } from "@pulumi/pulumi/automation";
import type { Fleet } from "./fleet";
import { nameOf, operate } from "./operation";
import type { Progress } from "./run";
import { engineOptions, openStack, readSettings, type Stack } from "./stacks";

/** One object that is not as the last `up` left it. */
export interface Drift {
  /** Kubernetes' kind, or Pulumi's type. */
  kind: string;
  /** Its name in the cluster, or Pulumi's. */
  name: string;
  gone: boolean;
  fields: FieldDrift[];
}

export interface FieldDrift {
  path: string;
  was: unknown;
  is: unknown;
}

/** In the place of a secret's value. */
const MASKED = "[secret]";
/** Key by which Pulumi marks a value as special; all that drift can meet of it is a secret. */
const SIGNATURE = "4dabf18193072939515e22adb298388d";

/** Finds the drift of a stack. The program runs along, so that a stale kubeconfig is renewed. */
export async function findDrift(fleet: Fleet, stack: Stack, progress: Progress): Promise<Drift[]> {
  await readSettings(fleet, stack);
  const engine = await openStack(fleet, stack);
  const drifts: Drift[] = [];
  progress("reads every object");
  await operate(progress, (onEvent) =>
    engine.previewRefresh({
      ...engineOptions(fleet, stack),
      runProgram: true,
      onEvent: (event: EngineEvent) => {
        onEvent(event);
        const drift = event.resOutputsEvent && driftOf(event.resOutputsEvent.metadata);
        if (drift) drifts.push(drift);
      },
    }),
  );
  return drifts.sort((a, b) => `${a.kind} ${a.name}`.localeCompare(`${b.kind} ${b.name}`));
}

/** What one step of a refresh says; undefined when the object is as it was. */
export function driftOf(metadata: StepEventMetadata): Drift | undefined {
  const { op, urn, type, old, new: news, detailedDiff } = metadata;
  if (op !== "update" && op !== "delete") return undefined;
  const live = old?.outputs?.metadata?.name;
  const title = { kind: type.split(":").at(-1)!, name: live ?? nameOf(urn) };
  if (op === "delete") return { ...title, gone: true, fields: [] };
  const fields = Object.keys(detailedDiff ?? {}).map((path) => ({
    path,
    was: valueAt(old?.outputs, path),
    is: valueAt(news?.outputs, path),
  }));
  return fields.length ? { ...title, gone: false, fields } : undefined;
}

/** The value at a path such as `spec.ports[0].name` or `metadata.labels["a.b/c"]`. */
export function valueAt(root: unknown, path: string): unknown {
  const steps = [...path.matchAll(/\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]|([^.[\]]+)/g)];
  let value = root;
  for (const [, quoted, index, plain] of steps) {
    if (isSecret(value)) return MASKED;
    value = (value as Record<string, unknown> | undefined)?.[quoted ?? index ?? plain];
  }
  return withoutSecrets(value);
}

function isSecret(value: unknown): boolean {
  return typeof value === "object" && value !== null && SIGNATURE in value;
}

function withoutSecrets(value: unknown): unknown {
  if (isSecret(value)) return MASKED;
  if (Array.isArray(value)) return value.map(withoutSecrets);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, withoutSecrets(one)]));
}

/** One line for an object that is gone, one for each field otherwise. */
export function driftLines({ kind, name, gone, fields }: Drift): string[] {
  if (gone) return [`${kind} ${name}: is gone`];
  const shown = (value: unknown) => (value === undefined ? "nothing" : JSON.stringify(value));
  return fields.map(
    ({ path, was, is }) => `${kind} ${name} ${path}: was ${shown(was)}, is ${shown(is)}`,
  );
}
