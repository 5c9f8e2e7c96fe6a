/**
 * Who owns which field of a live object (Kubernetes' managedFields, FieldsV1).
 *
 * Adoption hands what Helm and people own to the program's one field manager, and nothing else:
 * a later `up` then neither conflicts nor leaves behind what Helm had set, and what the cluster's
 * controllers own stays theirs.
 */
import { FIELD_MANAGER } from "../../components/ownership";
import type { Data } from "../engine";

/** A tree of `f:NAME`, `k:{KEYS}`, `v:VALUE` and `.`; an empty one owns all below it. */
export type Fields = { [step: string]: Fields };

export interface ManagedFields {
  manager?: string;
  operation?: string;
  subresource?: string;
  apiVersion?: string;
  fieldsType?: string;
  fieldsV1?: Fields;
  time?: string;
}

/** Writers that keep the cluster itself going: what they set is theirs. */
const CONTROLLER =
  /^kube-|controller|provisioner|resizer|attacher|snapshotter|operator|cert-?manager|cilium|csi|kubelet|cloud|digitalocean/i;

/** Whether an entry is a person's or a tool's, Helm's for example. */
export function isAuthored({ manager = "", subresource }: ManagedFields): boolean {
  return !subresource && !CONTROLLER.test(manager);
}

/** Authors of an object besides Helm and this program: somebody edited it by hand. */
export function handEditors(entries: ManagedFields[]): string[] {
  const names = entries.filter(isAuthored).map(({ manager }) => manager ?? "");
  const others = names.filter((name) => name !== "helm" && !name.startsWith(FIELD_MANAGER));
  return [...new Set(others)];
}

/** Both trees in one. */
export function union(a: Fields, b: Fields): Fields {
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
  const merged = [...keys].map((key): [string, Fields] => {
    if (!(key in a)) return [key, b[key]];
    if (!(key in b)) return [key, a[key]];
    return [key, isLeaf(a[key]) || isLeaf(b[key]) ? {} : union(a[key], b[key])];
  });
  return Object.fromEntries(merged);
}

function isLeaf(fields: Fields): boolean {
  return Object.keys(fields).length === 0;
}

/** The tree of what an object states; its lists as a whole. */
export function stated(value: Data): Fields {
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, inner]) => inner !== undefined)
      .map(([key, inner]): [string, Fields] => [
        `f:${key}`,
        inner !== null && typeof inner === "object" && !Array.isArray(inner) ? stated(inner) : {},
      ]),
  );
}

/** A tree, divided into what another one covers and the rest. */
export function divide(fields: Fields, by: Fields): { covered: Fields; rest: Fields } {
  const covered: Fields = {};
  const rest: Fields = {};
  for (const [key, inner] of Object.entries(fields)) {
    const other = by[key];
    if (other === undefined) rest[key] = inner;
    else if (isLeaf(other) || isLeaf(inner)) covered[key] = inner;
    else {
      const below = divide(inner, other);
      if (!isLeaf(below.covered)) covered[key] = below.covered;
      if (Object.keys(below.rest).some((step) => step !== ".")) rest[key] = below.rest;
    }
  }
  return { covered, rest };
}

/** Set by the API server, part of no object that anybody states. */
const IDENTITY: Fields = stated({
  apiVersion: "",
  kind: "",
  metadata: { name: "", namespace: "" },
});

export interface HandOver {
  apiVersion: string;
  /** The manager that the program applies this object with. */
  manager: string;
  /** What the program states of it. */
  wanted: Data;
  /** What somebody asked of it, in contrast to what Kubernetes filled in. */
  asked: Data;
}

/**
 * The managedFields after adoption: one entry of the program's for all that Helm and people own and
 * for what a controller set before the program states it (the claim that a StatefulSet made).
 */
export function handOver(
  entries: ManagedFields[],
  { apiVersion, manager, wanted, asked }: HandOver,
): ManagedFields[] {
  const program = divide(stated(wanted), IDENTITY).rest;
  let own: Fields = {};
  const kept: ManagedFields[] = [];
  for (const entry of entries) {
    if (isAuthored(entry)) {
      const fields = entry.fieldsV1 ?? {};
      // Whoever makes an object by an Update owns its defaults, too (Helm 3): they are nobody's.
      const isApply = entry.operation === "Apply";
      own = union(own, isApply ? fields : divide(fields, stated(asked)).covered);
    } else if (entry.subresource) {
      kept.push(entry);
    } else {
      const { covered, rest } = divide(entry.fieldsV1 ?? {}, program);
      own = union(own, covered);
      if (!isLeaf(rest)) kept.push({ ...entry, fieldsV1: rest });
    }
  }
  // RollingUpdate's parameters are the API server's default and nobody's. As the program's they go
  // when it applies Recreate, which allows none (adoption.md).
  if (wanted.kind === "Deployment") {
    own = union(own, { "f:spec": { "f:strategy": { "f:type": {}, "f:rollingUpdate": {} } } });
  }
  const entry = { apiVersion, fieldsType: "FieldsV1", fieldsV1: own, manager, operation: "Apply" };
  return [entry, ...kept];
}
