/**
 * Reads raw resource properties into plain data in which what is not known yet is marked.
 *
 * The SDK hands a rule its properties behind a proxy that throws at the first unknown value and so
 * ends the whole rule: a mandatory rule is then waved through in silence. No rule touches those
 * properties. This reader copies them once, and a View walks the copy: only the one judgement that
 * really needs an unknown part ends with NotKnown, all others go on.
 */
import * as sdkProxy from "@pulumi/policy/proxy";

/** Stands in the copied data for a value that only `pulumi up` will know. */
export const UNKNOWN: unique symbol = Symbol("not known yet");

export type Data =
  null | boolean | number | string | typeof UNKNOWN | Data[] | { [key: string]: Data };

/** The SDK exports these names but leaves them out of its type declarations. */
const sdk = sdkProxy as unknown as Record<string, string>;

const sentinels = new Set(
  Object.keys(sdk)
    .filter((name) => name.endsWith("Value"))
    .map((name) => sdk[name]),
);

/** Copies properties, proxied by the SDK or plain, into Data. */
export function readProperties(value: unknown): Data {
  if (typeof value === "string") {
    return sentinels.has(value) ? UNKNOWN : value;
  }
  if (typeof value === "number" || typeof value === "boolean") {
    return value;
  }
  if (typeof value !== "object" || value === null) {
    return null;
  }
  const object = unwrap(value);
  if (Array.isArray(object)) {
    return object.map(readProperties);
  }
  return Object.fromEntries(Object.entries(object).map(([k, v]) => [k, readProperties(v)]));
}

/** What stands behind the SDK's proxy: reading through it would throw at the first unknown. */
export function unwrap(value: object): object {
  return (value as Record<string, object | undefined>)[sdk.getSpecialProxyTarget] ?? value;
}

/** Ends one judgement: its outcome hangs on a part that is not known yet. */
export class NotKnown extends Error {
  constructor(
    readonly owner: string,
    readonly path: string,
    readonly why = "not known yet",
  ) {
    super(`${owner}: ${path} is ${why}`);
  }
}

/** A part that stands elsewhere: `up` will not know it either. */
export class OutOfSight extends NotKnown {}

/** A place in an object's data. Reading an unknown part throws NotKnown; everything else is plain. */
export class View {
  /**
   * @param owner the object in words, for messages
   * @param partial the object is a patch: what it leaves out stands on the server and is unknown here
   */
  constructor(
    private readonly data: Data,
    readonly owner: string,
    readonly path = "",
    private readonly partial = false,
  ) {}

  /** The place below this one; nothing is read yet, so an unknown parent is no trouble here. */
  at(...keys: string[]): View {
    return keys.reduce((view: View, key) => view.below(key, join(view.path, key)), this);
  }

  private below(key: string | number, path: string): View {
    if (this.data === UNKNOWN) {
      return new View(UNKNOWN, this.owner, this.path, this.partial);
    }
    return new View(part(this.data, key), this.owner, path, this.partial);
  }

  /** The value itself; containers may still hold unknown parts. */
  private value(): Exclude<Data, typeof UNKNOWN> {
    if (this.data === UNKNOWN) {
      throw new NotKnown(this.owner, this.path);
    }
    if (this.data === null && this.partial) {
      throw new OutOfSight(this.owner, this.path, "not part of the patch");
    }
    return this.data;
  }

  get isKnown(): boolean {
    return this.data !== UNKNOWN && !(this.data === null && this.partial);
  }

  isAbsent(): boolean {
    return this.value() === null;
  }

  /** Absent, or a container with nothing in it. */
  isEmpty(): boolean {
    const value = this.value();
    return value === null || (hasParts(value) && Object.keys(value).length === 0);
  }

  /** Numbers count as their decimal text: YAML and JSON programs mix the two. */
  text(): string | undefined {
    const value = this.value();
    return typeof value === "string" || typeof value === "number" ? String(value) : undefined;
  }

  number(): number | undefined {
    const value = this.value();
    const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
    return Number.isFinite(number) ? (number as number) : undefined;
  }

  bool(): boolean | undefined {
    const value = this.value();
    return value === true || value === "true"
      ? true
      : value === false || value === "false"
        ? false
        : undefined;
  }

  list(): View[] {
    const value = this.value();
    return Array.isArray(value) ? value.map((_, i) => this.below(i, `${this.path}[${i}]`)) : [];
  }

  entries(): [string, View][] {
    const value = this.value();
    return hasParts(value) && !Array.isArray(value)
      ? Object.keys(value).map((key) => [key, this.at(key)])
      : [];
  }

  /** Whether this place, or any part of it at any depth, is not known. */
  hasUnknown(): boolean {
    return !this.isKnown || holds(this.data, (data) => data === UNKNOWN);
  }

  /** Whether a list of containers with images is here, at any depth: the sign of a pod template. */
  holdsContainers(): boolean {
    return holds(this.data, listsContainers);
  }
}

function hasParts(data: Data): data is Data[] | { [key: string]: Data } {
  return typeof data === "object" && data !== null;
}

/** What stands under a key; null where there is no such part. */
function part(data: Data, key: string | number): Data {
  return hasParts(data) && Object.hasOwn(data, key) ? (data as Record<string, Data>)[key] : null;
}

/** Whether data, or a part of it at any depth, is what is looked for. */
function holds(data: Data, isIt: (data: Data) => boolean): boolean {
  return isIt(data) || (hasParts(data) && Object.values(data).some((one) => holds(one, isIt)));
}

function listsContainers(data: Data): boolean {
  const containers = part(data, "containers");
  return Array.isArray(containers) && containers.some((one) => part(one, "image") !== null);
}

/** `spec.selector["app.kubernetes.io/name"]`: readable, and exact where a key holds dots. */
function join(path: string, key: string): string {
  if (!/^[A-Za-z_][\w-]*$/.test(key)) {
    return `${path}[${JSON.stringify(key)}]`;
  }
  return path === "" ? key : `${path}.${key}`;
}
