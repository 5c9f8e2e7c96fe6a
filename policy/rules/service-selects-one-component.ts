/**
 * What a Service, a budget or a network policy selects is pods of exactly one component, and
 * something.
 *
 * A Service that also selects the database sends requests there (incident 1); a policy whose labels
 * match no pod protects nothing (incident 18). Not dangling: no selector, ExternalName, a pod by its
 * name, a namespace in which this stack makes no pods, and components that an operator makes. A
 * selector without the component label is told by selector-carries-component and not twice.
 */
import * as z from "zod";
import { View } from "../core/data";
import { anyOf } from "../core/logic";
import { inNamespaces, peersOf } from "../core/network";
import { KubeObject } from "../core/objects";
import { Fault, Judge, stackRule } from "../core/rule";
import { hasText, Selector, selectsBy } from "../core/selectors";
import { componentLabel, exemptNamespaces, settings } from "../core/settings";
import { opaqueIn } from "../core/opaque";
import { Stack } from "../core/stack";

const ownSettings = settings({
  label: componentLabel,
  exemptNamespaces,
  operatorComponents: z
    .array(z.string().min(1))
    .default(["acme-solver"])
    .describe("components whose pods an operator or another stack makes"),
  withoutComponent: z
    .boolean()
    .default(false)
    .describe("judge selectors without the label too, where selector-carries-component is off"),
});

type Settings = z.infer<typeof ownSettings>;

export default stackRule({
  name: "service-selects-one-component",
  title: "A selector picks one component, and something",
  description: "What a Service, budget or network policy selects is pods of exactly one component.",
  level: "mandatory",
  severity: "critical",
  incidents: [1, 18],
  remediation: "Make the selector's labels those of one component's pod template.",
  url: "https://kubernetes.io/docs/concepts/services-networking/service/#defining-a-service",
  settings: ownSettings,

  checkStack(stack, judge, settings) {
    for (const service of stack.all("Service")) {
      judge(service, () => {
        const selector = service.view.at("spec", "selector");
        const plain =
          selector.isEmpty() ||
          service.view.at("spec", "type").text() === "ExternalName" ||
          hasText(selector.at("statefulset.kubernetes.io/pod-name"));
        const judged = () => settings.withoutComponent || hasText(selector.at(settings.label));
        return plain || !judged()
          ? undefined
          : oneComponent(service, selector, Selector.ofMap(selector), stack, settings);
      });
    }
    for (const budget of stack.all("PodDisruptionBudget")) {
      judge(budget, () => bySelector(budget, budget.view.at("spec", "selector"), stack, settings));
    }
    for (const policy of stack.all("NetworkPolicy")) {
      judge(policy, () => {
        const selector = policy.view.at("spec", "podSelector");
        return selector.isEmpty() ? undefined : bySelector(policy, selector, stack, settings);
      });
      judgePeers(policy, judge, stack, settings);
    }
  },
});

function bySelector(
  object: KubeObject,
  view: View,
  stack: Stack,
  settings: Settings,
): Fault | undefined {
  return !settings.withoutComponent && !selectsBy(view, settings.label)
    ? undefined
    : oneComponent(object, view, Selector.of(view), stack, settings);
}

/** Peers in the policy's own namespace: they may be several components, but must be something. */
function judgePeers(policy: KubeObject, judge: Judge, stack: Stack, settings: Settings): void {
  for (const direction of ["ingress", "egress"] as const) {
    judge(policy, () => {
      for (const peer of peersOf(policy.view, direction)) {
        judge(policy, () => {
          const view = peer.at("podSelector");
          const own =
            !view.isEmpty() &&
            (peer.at("namespaceSelector").isAbsent() || inNamespaces(peer, [policy.namespace()]));
          return own && selectsBy(view, settings.label)
            ? something(policy, view, Selector.of(view), stack, settings)
            : undefined;
        });
      }
    });
  }
}

function oneComponent(
  object: KubeObject,
  at: View,
  selector: Selector,
  stack: Stack,
  settings: Settings,
): Fault | undefined {
  const namespace = object.namespace();
  if (settings.exemptNamespaces.includes(namespace)) {
    return undefined;
  }
  const { sure, open } = stack.selected(selector, namespace);
  const components = new Map(
    sure.map((w) => [w.labels.at(settings.label).text() ?? "", w.object.words]),
  );
  if (components.size > 1) {
    const pods = [...components].map(([name, words]) => `${name || "no component"} (${words})`);
    return {
      at,
      found: `it selects pods of ${components.size} components: ${pods.join(", ")}`,
      fix: `Select by one value of ${settings.label}: each of these answers a part of the traffic.`,
    };
  }
  if (open.length > 0) {
    throw open[0].unknown;
  }
  return something(object, at, selector, stack, settings);
}

function something(
  object: KubeObject,
  at: View,
  selector: Selector,
  stack: Stack,
  settings: Settings,
): Fault | undefined {
  const namespace = object.namespace();
  const { sure, open } = stack.selected(selector, namespace);
  const byOperator = settings.operatorComponents.some((component) =>
    selector.wanted.get(settings.label)?.includes(component),
  );
  if (
    sure.length > 0 ||
    byOperator ||
    settings.exemptNamespaces.includes(namespace) ||
    !stack.hasWorkloadsIn(namespace) ||
    labelIsMissing(selector, namespace, stack, settings.label)
  ) {
    return undefined;
  }
  if (open.length > 0) {
    throw open[0].unknown;
  }
  opaqueIn(stack, namespace);
  return {
    at,
    found: `no pod of this stack in namespace ${namespace} has these labels`,
    fix: "Use the labels of the pod template that is meant; name a component that an operator makes in operatorComponents.",
  };
}

/** Pods that lack the component are another rule's finding: do not blame who selects them. */
function labelIsMissing(
  selector: Selector,
  namespace: string,
  stack: Stack,
  label: string,
): boolean {
  const others = [...selector.wanted].filter(([key]) => key !== label);
  return anyOf(
    stack.workloads.map((workload) => () => {
      const labels = workload.labels;
      return (
        workload.object.namespace() === namespace &&
        !hasText(labels.at(label)) &&
        others.every(([key, values]) => values.includes(labels.at(key).text()))
      );
    }),
  );
}
