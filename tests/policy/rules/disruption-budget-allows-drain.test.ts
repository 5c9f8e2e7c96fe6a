import { budget, change, COMPONENT, kube, workload } from "../support/objects";
import { UNKNOWN } from "../support/proxy";
import { table } from "../support/table";

const web = (replicas?: unknown) => workload("Deployment", "web", undefined, { replicas });
const max = (maxUnavailable: unknown) => budget("web", { maxUnavailable });
const min = (minAvailable: unknown) => budget("web", { maxUnavailable: undefined, minAvailable });
const scaler = (minReplicas?: number) =>
  kube("autoscaling/v2", "HorizontalPodAutoscaler", "scaler", {
    spec: { scaleTargetRef: { kind: "Deployment", name: "web" }, minReplicas, maxReplicas: 9 },
  });
const keda = (minReplicaCount: number, maxReplicaCount: number) =>
  kube("keda.sh/v1alpha1", "ScaledObject", "scaler", {
    spec: { scaleTargetRef: { name: "web" }, minReplicaCount, maxReplicaCount },
  });
const canary = change(workload("StatefulSet", "canary"), "spec.template.metadata.labels", {
  [COMPONENT]: "web",
});
const pod = change(workload("Pod", "pod"), "metadata.labels", { [COMPONENT]: "web" });
const others = { matchExpressions: [{ key: COMPONENT, operator: "In", values: ["web", "job"] }] };
const all = (more: object) => budget("all", { selector: others, ...more });
const old = (raw: ReturnType<typeof budget>) => ({
  ...change(raw, "apiVersion", "policy/v1beta1"),
  type: "kubernetes:policy/v1beta1:PodDisruptionBudget",
});
const MAX = ["violation web-budget: spec.maxUnavailable"];
const MIN = ["violation web-budget: spec.minAvailable"];
const SELECTOR = ["violation all-budget: spec.selector"];

table("disruption-budget-allows-drain", [
  { title: "maxUnavailable 1 of one", given: [web(), max(1)] },
  { title: "maxUnavailable 1% of one rounds up", given: [web(), max("1%")] },
  { title: "maxUnavailable 0", given: [web(3), max(0)], finds: MAX, says: "waits for ever" },
  { title: "maxUnavailable 0%", given: [web(3), max("0%")], finds: MAX },
  { title: "maxUnavailable 0 of nothing", given: [web(0), max(0)] },
  {
    title: "incident 14: minAvailable 1 of one",
    given: [web(), min(1)],
    finds: MIN,
    says: "1 of 1",
  },
  { title: "minAvailable 1 of two", given: [web(2), min(1)] },
  { title: "minAvailable 2 of two", given: [web(2), min(2)], finds: MIN },
  { title: "minAvailable 3 of two", given: [web(2), min(3)], finds: MIN },
  { title: "minAvailable 0", given: [web(), min(0)] },
  { title: "minAvailable 1 of nothing", given: [web(0), min(1)] },
  { title: "minAvailable 50% of one rounds up", given: [web(), min("50%")], finds: MIN },
  { title: "minAvailable 50% of two", given: [web(2), min("50%")] },
  { title: "minAvailable 100%", given: [web(5), min("100%")], finds: MIN },
  { title: "minAvailable 80% of five", given: [web(5), min("80%")] },
  { title: "minAvailable 81% of five rounds up", given: [web(5), min("81%")], finds: MIN },
  { title: "minAvailable that is no number", given: [web(5), min("most")], finds: MIN },
  { title: "neither is set", given: [web(5), max(undefined)], finds: MAX },
  { title: "an autoscaler's least counts", given: [web(3), scaler(1), min(1)], finds: MIN },
  { title: "an autoscaler's least by default", given: [web(3), scaler(), min(1)], finds: MIN },
  { title: "an autoscaler that keeps two", given: [web(1), scaler(2), min(1)] },
  {
    title: "KEDA scales to nothing",
    given: [
      web(3),
      min(1),
      kube("keda.sh/v1alpha1", "ScaledObject", "s", { spec: { scaleTargetRef: { name: "web" } } }),
    ],
  },
  { title: "KEDA scales from nothing to one", given: [web(), min(1), keda(0, 1)], finds: MIN },
  {
    title: "KEDA scales from nothing, never let go",
    given: [web(), max(0), keda(0, 9)],
    finds: MAX,
  },
  { title: "KEDA keeps it at nothing", given: [web(), min(1), keda(0, 0)] },
  { title: "an autoscaler scales from nothing", given: [web(), min(9), scaler(0)], finds: MIN },
  { title: "an autoscaler scales from nothing to enough", given: [web(), min(8), scaler(0)] },
  {
    title: "in percent, beside a bare Pod, KEDA scales from nothing",
    given: [web(), pod, min("50%"), keda(0, 1)],
  },
  {
    title: "what KEDA scales to nothing leaves the other alone",
    given: [web(), canary, min(1), keda(0, 1)],
    finds: MIN,
  },
  {
    title: "the sum over two controllers",
    given: [web(), canary, min(1)],
  },
  {
    title: "no pods of this stack: another rule's finding",
    given: [workload("Deployment", "db"), min(1)],
  },
  {
    title: "pods in another namespace",
    given: [change(web(), "metadata.namespace", "blog"), min(1)],
  },
  // Pods without a scale.
  {
    title: "a Job among them has no scale",
    given: [web(2), workload("Job", "job"), all({ maxUnavailable: 1 })],
    finds: SELECTOR,
    says: "has no scale",
  },
  {
    title: "a CronJob among them, in percent",
    given: [
      web(9),
      workload("CronJob", "job"),
      all({ maxUnavailable: undefined, minAvailable: "10%" }),
    ],
    finds: SELECTOR,
  },
  {
    title: "a CronJob among them, by number",
    given: [
      web(2),
      workload("CronJob", "job"),
      all({ maxUnavailable: undefined, minAvailable: 1 }),
    ],
  },
  {
    title: "a CronJob among them runs no pod to count on",
    given: [web(), workload("CronJob", "job"), all({ maxUnavailable: undefined, minAvailable: 1 })],
    finds: ["violation all-budget: spec.minAvailable"],
    says: "1 of 1",
  },
  {
    title: "a Job among them runs one",
    given: [web(), workload("Job", "job"), all({ maxUnavailable: undefined, minAvailable: 1 })],
  },
  ...["ReplicaSet", "ReplicationController"].map((kind) => ({
    title: `a ${kind} has a scale`,
    given: [workload(kind, "web", undefined, { replicas: 2 }), min("50%")],
  })),
  {
    title: "a DaemonSet alone: drains leave it",
    given: [workload("DaemonSet", "web"), max(0)],
  },
  {
    title: "a DaemonSet beside a Deployment",
    given: [web(2), workload("DaemonSet", "job"), all({ maxUnavailable: 1 })],
    finds: SELECTOR,
  },
  { title: "a bare Pod", given: [workload("Pod", "web"), min(1)], finds: MIN },
  {
    title: "a bare Pod has no scale, so nothing is expected and nothing may go",
    given: [workload("Pod", "web"), max(1)],
    finds: ["violation web-budget: spec.selector"],
    says: "bare Pods alone",
  },
  {
    title: "a bare Pod beside a Deployment is one more that is healthy",
    given: [
      web(1),
      workload("Pod", "job"),
      all({ maxUnavailable: undefined, minAvailable: "60%" }),
    ],
  },
  {
    title: "two budgets where nothing runs",
    given: [web(0), max(1), budget("xyz", { selector: { matchLabels: { [COMPONENT]: "web" } } })],
  },
  {
    title: "maxUnavailable 0, whatever else it may select",
    given: [
      web(3),
      change(workload("Deployment", "db"), "spec.template.metadata.labels", UNKNOWN),
      max(0),
    ],
    finds: MAX,
  },
  // Selectors.
  {
    title: "no selector selects nothing",
    given: [web(), budget("web", { selector: undefined, maxUnavailable: 0 })],
  },
  {
    title: "an empty selector selects all",
    given: [web(), budget("web", { selector: {}, maxUnavailable: 0 })],
    finds: MAX,
  },
  {
    title: "in v1beta1 it selects nothing",
    given: [web(), old(budget("web", { selector: {}, maxUnavailable: 0 }))],
  },
  { title: "in v1beta1 with labels", given: [web(), old(max(0))], finds: MAX },
  // Overlaps.
  {
    title: "two budgets on one pod",
    given: [web(2), workload("Deployment", "job"), max(1), all({ maxUnavailable: 1 })],
    finds: SELECTOR,
    says: "500",
  },
  {
    title: "two budgets, told on the later one",
    given: [web(2), max(1), budget("xyz", { selector: { matchLabels: { [COMPONENT]: "web" } } })],
    finds: ["violation xyz-budget: spec.selector"],
  },
  {
    title: "two budgets on a DaemonSet: drains leave it",
    given: [workload("DaemonSet", "web"), max(1), all({ maxUnavailable: 1 })],
  },
  {
    title: "two budgets on two pods",
    given: [web(), workload("Deployment", "db"), max(1), budget("db")],
  },
  // A broken pod.
  {
    title: "AlwaysAllow when demanded",
    given: [web(), budget("web", { unhealthyPodEvictionPolicy: "AlwaysAllow" })],
    settings: { requireAlwaysAllow: true },
  },
  {
    title: "IfHealthyBudget when AlwaysAllow is demanded",
    given: [web(), max(1)],
    settings: { requireAlwaysAllow: true },
    finds: ["violation web-budget: spec.unhealthyPodEvictionPolicy"],
  },
  // Not known yet.
  { title: "replicas do not matter to maxUnavailable 1", given: [web(UNKNOWN), max(1)] },
  {
    title: "replicas matter to minAvailable",
    given: [web(UNKNOWN), min(1)],
    finds: ["unknown web-budget: Deployment"],
  },
  {
    title: "maxUnavailable not known yet",
    given: [web(), max(UNKNOWN)],
    finds: ["unknown web-budget: spec.maxUnavailable"],
  },
  {
    title: "labels not known yet",
    given: [change(web(), "spec.template.metadata.labels", UNKNOWN), max(1)],
    finds: ["unknown web-budget: Deployment"],
  },
]);
