/**
 * Everything that selects pods selects by the component label, and every pod template carries it.
 *
 * The Service selected by name and instance alone, which the database's pods carry too, so half of
 * the requests went to MariaDB: "Oops" (incident 1); network policies selected labels that no pod
 * had (incident 18). Selectors of Deployments and StatefulSets are immutable, so the label has to
 * be there from the first day. Allowed without it: the empty podSelector of a policy that only
 * denies.
 */
import { View } from "../core/data";
import { KubeObject } from "../core/objects";
import { Fault, Judge, resourceRule } from "../core/rule";
import { hasText, selectsBy } from "../core/selectors";
import { componentLabel, exemptNamespaces, settings } from "../core/settings";
import { Workload, workloadOf } from "../core/workloads";
import { denies, inNamespaces, peersOf } from "../core/network";

/** Workloads with a label selector of their own. A Job's is made by the controller. */
const SELECTING = ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"];

export default resourceRule({
  name: "selector-carries-component",
  title: "Selectors and pods carry the component",
  description: "What selects pods selects by the component label, and pod templates carry it.",
  level: "mandatory",
  severity: "high",
  incidents: [1, 18],
  remediation: "Add the component label to the selector and to the labels of the pod template.",
  url: "https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/",
  settings: settings({ label: componentLabel, exemptNamespaces }),

  check(object, judge, { label, exemptNamespaces }) {
    judge(object, () => {
      if (exemptNamespaces.includes(object.namespace())) {
        return;
      }
      const workload = workloadOf(object);
      const ask = asker(object, judge, label);
      if (workload) {
        judgeWorkload(workload, judge, label, ask);
      } else if (object.is("Service")) {
        judge(object, () => service(object, label));
      } else if (object.is("PodDisruptionBudget")) {
        ask(object.view.at("spec", "selector"));
      } else if (object.is("NetworkPolicy")) {
        judgePolicy(object, judge, exemptNamespaces, ask);
      }
    });
  },
});

type Ask = (selector: View) => void;

function asker(object: KubeObject, judge: Judge, label: string): Ask {
  return (selector) => judge(object, () => withoutLabel(selector, label));
}

function withoutLabel(selector: View, label: string): Fault | undefined {
  return selectsBy(selector, label) ? undefined : missing(selector.path, label);
}

function missing(at: string, label: string): Fault {
  return {
    at,
    found: `it does not select by ${label}, so the pods of other components match as well`,
    fix: `Add ${label} with the one component that is meant.`,
  };
}

function service(object: KubeObject, label: string): Fault | undefined {
  const selector = object.view.at("spec", "selector");
  const passes =
    selector.isEmpty() ||
    object.view.at("spec", "type").text() === "ExternalName" ||
    hasText(selector.at(label)) ||
    // One pod of a StatefulSet by its name: nothing else can match.
    hasText(selector.at("statefulset.kubernetes.io/pod-name"));
  return passes ? undefined : missing(selector.path, label);
}

function judgeWorkload(workload: Workload, judge: Judge, label: string, ask: Ask): void {
  const { object, spec } = workload;
  const selector = object.view.at("spec", "selector");
  if (SELECTING.includes(workload.kind)) {
    ask(selector);
  } else if (workload.kind === "ReplicationController") {
    // Without a selector the API server takes the labels of the template.
    const labels = () => (selector.isEmpty() ? workload.labels : selector);
    judge(object, () => (hasText(labels().at(label)) ? undefined : missing(selector.path, label)));
  } else if (workload.kind === "Job") {
    judge(object, () =>
      object.view.at("spec", "manualSelector").bool() ? withoutLabel(selector, label) : undefined,
    );
  }
  judge(object, () =>
    hasText(workload.labels.at(label))
      ? undefined
      : {
          at: workload.labels.path,
          found: `the pods carry no ${label}`,
          fix: "Add the label to the pod template, so that selectors can tell these pods apart.",
        },
  );
  judge(object, () => {
    for (const spread of spec.at("topologySpreadConstraints").list()) {
      judge(object, () => term(spread, label));
    }
  });
  for (const affinity of ["podAffinity", "podAntiAffinity"]) {
    judgeAffinity(object, judge, spec.at("affinity", affinity), label);
  }
}

function judgeAffinity(object: KubeObject, judge: Judge, affinity: View, label: string): void {
  judge(object, () => {
    for (const item of affinity.at("requiredDuringSchedulingIgnoredDuringExecution").list()) {
      judge(object, () => term(item, label));
    }
  });
  judge(object, () => {
    for (const item of affinity.at("preferredDuringSchedulingIgnoredDuringExecution").list()) {
      judge(object, () => term(item.at("podAffinityTerm"), label));
    }
  });
}

/** matchLabelKeys adds the pod's own value of a label to the selector. */
function term(item: View, label: string): Fault | undefined {
  const selector = item.at("labelSelector");
  const byKey = () =>
    !selector.isAbsent() &&
    item
      .at("matchLabelKeys")
      .list()
      .some((key) => key.text() === label);
  return selectsBy(selector, label) || byKey() ? undefined : missing(selector.path, label);
}

function judgePolicy(object: KubeObject, judge: Judge, exempt: string[], ask: Ask): void {
  const selector = object.view.at("spec", "podSelector");
  judge(object, () => {
    if (!(selector.isEmpty() && denies(object.view))) {
      ask(selector);
    }
  });
  for (const direction of ["ingress", "egress"] as const) {
    judge(object, () => {
      for (const peer of peersOf(object.view, direction)) {
        judge(object, () => {
          if (!peer.at("podSelector").isAbsent() && !inNamespaces(peer, exempt)) {
            ask(peer.at("podSelector"));
          }
        });
      }
    });
  }
}
