/**
 * The stack's objects, sorted by URN (the engine promises no order) and indexed once, so that a rule
 * over all of them stays linear: workloads by namespace and label, claims, volumes, autoscalers.
 */
import { NotKnown } from "./data";
import { attempt, everyOf, orElse } from "./logic";
import { Kind, KubeObject } from "./objects";
import { opaqueReason } from "./opaque";
import { Selector } from "./selectors";
import { Workload, workloadOf } from "./workloads";

/** What a selector picks: for certain, and perhaps (with what has to be known first). */
export interface Selected {
  sure: Workload[];
  open: { workload: Workload; unknown: NotKnown }[];
}

export class Stack {
  readonly objects: KubeObject[];
  readonly workloads: Workload[];
  /** What makes pods in ways that the pack cannot see. */
  readonly opaque: KubeObject[];
  private readonly byKind = new Map<string, KubeObject[]>();
  private readonly byUrn = new Map<string, KubeObject>();
  private readonly byNamespace = new Map<string, Workload[]>();
  private readonly byLabel = new Map<string, Workload[]>();
  /** Workloads whose namespace or labels are not wholly known: candidates of every selector. */
  private readonly uncertain: Workload[] = [];

  constructor(objects: KubeObject[]) {
    this.objects = [...objects].sort((a, b) => (a.urn < b.urn ? -1 : 1));
    for (const object of this.objects) {
      this.byUrn.set(object.urn, object);
      push(this.byKind, object.kind, object);
    }
    this.workloads = this.objects.flatMap((object) => workloadOf(object) ?? []);
    this.opaque = this.objects.filter((object) => opaqueReason(object) !== undefined);
    this.workloads.forEach((workload) => this.index(workload));
  }

  private index(workload: Workload): void {
    const namespace = attempt(() => workload.object.namespace());
    if (namespace instanceof NotKnown || workload.labels.hasUnknown()) {
      this.uncertain.push(workload);
      return;
    }
    push(this.byNamespace, namespace, workload);
    for (const [key, value] of workload.labels.entries()) {
      push(this.byLabel, `${namespace}|${key}=${value.text()}`, workload);
    }
  }

  /** Objects of a built-in kind. */
  all(kind: Kind): KubeObject[] {
    return (this.byKind.get(kind) ?? []).filter((object) => object.is(kind));
  }

  /** Those of a kind by `namespace/name`, as far as both are known. */
  named(kind: Kind): Map<string, KubeObject> {
    const named = new Map<string, KubeObject>();
    for (const object of this.all(kind)) {
      attempt(() => named.set(object.key(), object));
    }
    return named;
  }

  withUrn(urn: string): KubeObject | undefined {
    return this.byUrn.get(urn);
  }

  /** Whether this stack makes any pods of its own in a namespace. */
  hasWorkloadsIn(namespace: string): boolean {
    const mayBe = ({ object }: Workload) => orElse(() => object.namespace() === namespace, true);
    return this.byNamespace.has(namespace) || this.uncertain.some(mayBe);
  }

  /** The workloads whose pods a selector picks in a namespace. */
  selected(selector: Selector, namespace: string): Selected {
    const result: Selected = { sure: [], open: [] };
    for (const workload of this.candidates(selector, namespace)) {
      const outcome = attempt(() =>
        everyOf([
          () => workload.object.namespace() === namespace,
          () => selector.matches(workload.labels),
        ]),
      );
      if (outcome instanceof NotKnown) {
        result.open.push({ workload, unknown: outcome });
      } else if (outcome) {
        result.sure.push(workload);
      }
    }
    return result;
  }

  /** Those with the rarest of the labels that it wants: asking every pod would take the square. */
  private candidates(selector: Selector, namespace: string): Iterable<Workload> {
    let smallest = this.byNamespace.get(namespace) ?? [];
    for (const [key, values] of selector.wanted) {
      const found = values.flatMap((v) => this.byLabel.get(`${namespace}|${key}=${v}`) ?? []);
      smallest = found.length < smallest.length ? found : smallest;
    }
    return new Set([...smallest, ...this.uncertain]);
  }
}

/** Adds to the list that a map holds under a key. */
export function push<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list) {
    list.push(value);
  } else {
    map.set(key, [value]);
  }
}
