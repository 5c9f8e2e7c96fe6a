/**
 * Property values as the engine sends them to a provider plugin, and back.
 *
 * Part of the stand-ins for provider plugins. The engine marks an unknown value with a sentinel
 * string and wraps a secret in an object with a signature key; here an unknown is a symbol, and a
 * bag of properties remembers which of them are secret, so that what came in secret goes out secret.
 */
import { Struct } from "google-protobuf/google/protobuf/struct_pb";
import type { JavaScriptValue } from "google-protobuf/google/protobuf/struct_pb";

/** A value that is not known yet, as in the preview of a create. */
export const UNKNOWN = Symbol("unknown");

export type Properties = Record<string, unknown>;

export interface Bag {
  values: Properties;
  /** Names of the top-level properties that are secret, or that hold a secret somewhere inside. */
  secrets: Set<string>;
}

const UNKNOWN_SENTINEL = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";
const SIGNATURE_KEY = "4dabf18193072939515e22adb298388d";
const SECRET_SIGNATURE = "1b47061264138c4ac30d75fd1eb44270";

export function fromWire(struct: Struct | undefined): Bag {
  const secrets = new Set<string>();
  const values: Properties = {};
  for (const [name, value] of Object.entries(struct?.toJavaScript() ?? {})) {
    values[name] = unwrap(value, () => secrets.add(name));
  }
  return { values, secrets };
}

export function toWire({ values, secrets }: Bag): Struct {
  const plain: Record<string, JavaScriptValue> = {};
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined) continue;
    const wrapped = wrap(value);
    plain[name] = secrets.has(name)
      ? { [SIGNATURE_KEY]: SECRET_SIGNATURE, value: wrapped }
      : wrapped;
  }
  return Struct.fromJavaScript(plain);
}

export function hasUnknown(value: unknown): boolean {
  if (value === UNKNOWN) return true;
  return typeof value === "object" && value !== null && Object.values(value).some(hasUnknown);
}

function unwrap(value: unknown, onSecret: () => void): unknown {
  if (value === UNKNOWN_SENTINEL) return UNKNOWN;
  if (Array.isArray(value)) return value.map((item) => unwrap(item, onSecret));
  if (typeof value !== "object" || value === null) return value;
  const object = value as Properties;
  if (object[SIGNATURE_KEY] === SECRET_SIGNATURE) {
    onSecret();
    return unwrap(object.value, onSecret);
  }
  return Object.fromEntries(Object.entries(object).map(([k, v]) => [k, unwrap(v, onSecret)]));
}

function wrap(value: unknown): JavaScriptValue {
  if (value === UNKNOWN) return UNKNOWN_SENTINEL;
  if (Array.isArray(value)) return value.map(wrap);
  if (typeof value === "object" && value !== null) {
    const known = Object.entries(value).filter(([, item]) => item !== undefined);
    return Object.fromEntries(known.map(([k, v]) => [k, wrap(v)]));
  }
  return value as JavaScriptValue;
}
