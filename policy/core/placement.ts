/**
 * What pins pods to one node: RWO is one node, not one pod, so workloads that share a volume are
 * safe where each of them can only run where the other does.
 */
import { View } from "./data";
import { anyOf, everyOf } from "./logic";
import { Selector } from "./selectors";
import { Stack } from "./stack";
import { Workload } from "./workloads";

const HOSTNAME = "kubernetes.io/hostname";

/**
 * The one node that a pod template names, by nodeName, nodeSelector or a required affinity; empty as
 * much as absent where it names none.
 */
function node(workload: Workload): string | undefined {
  const { spec } = workload;
  return (
    spec.at("nodeName").text() || spec.at("nodeSelector", HOSTNAME).text() || affinityNode(spec)
  );
}

function affinityNode(spec: View): string | undefined {
  const terms = spec
    .at(
      "affinity",
      "nodeAffinity",
      "requiredDuringSchedulingIgnoredDuringExecution",
      "nodeSelectorTerms",
    )
    .list();
  // Terms are alternatives: only a single one pins.
  return terms.length === 1 ? nodeOfTerm(terms[0]) : undefined;
}

function nodeOfTerm(term: View): string | undefined {
  const keyed: [string, string][] = [
    ["matchFields", "metadata.name"],
    ["matchExpressions", HOSTNAME],
  ];
  for (const [field, key] of keyed) {
    for (const expression of term.at(field).list()) {
      const values = expression.at("values").list();
      const pins =
        expression.at("key").text() === key &&
        expression.at("operator").text() === "In" &&
        values.length === 1;
      if (pins) {
        return values[0].text();
      }
    }
  }
  return undefined;
}

/**
 * Whether two workloads (or one and itself) run on one node only. A required affinity to the other
 * pins when all that it selects is among those that share the volume: an affinity to "any pod of
 * this application" may follow another component to another node.
 */
export function pinnedTogether(
  a: Workload,
  b: Workload,
  sharing: Workload[],
  stack: Stack,
): boolean {
  return anyOf([
    () => {
      const name = node(a);
      return Boolean(name) && name === node(b);
    },
    () => follows(a, b, sharing, stack),
    () => follows(b, a, sharing, stack),
  ]);
}

function follows(a: Workload, b: Workload, sharing: Workload[], stack: Stack): boolean {
  const terms = a.spec
    .at("affinity", "podAffinity", "requiredDuringSchedulingIgnoredDuringExecution")
    .list();
  return anyOf(
    terms.map(
      (term) => () =>
        everyOf([
          () => term.at("topologyKey").text() === HOSTNAME,
          () => ownNamespaceOnly(term, a),
          () => {
            const labels = term.at("labelSelector");
            if (labels.isAbsent()) {
              return false;
            }
            const selected = stack.selected(Selector.of(labels), a.object.namespace());
            if (selected.open.length > 0) {
              throw selected.open[0].unknown;
            }
            const { sure } = selected;
            return sure.some((w) => w.object === b.object) && sure.every((w) => among(w, sharing));
          },
        ]),
    ),
  );
}

const among = (workload: Workload, list: Workload[]) =>
  list.some((other) => other.object === workload.object);

function ownNamespaceOnly(term: View, workload: Workload): boolean {
  return (
    term.at("namespaceSelector").isAbsent() &&
    term
      .at("namespaces")
      .list()
      .every((name) => name.text() === workload.object.namespace())
  );
}
