import {
  budget,
  change,
  COMPONENT,
  kube,
  policy,
  podSpec,
  service,
  workload,
} from "../support/objects";
import { UNKNOWN } from "../support/proxy";
import { table } from "../support/table";

const NAME = "app.kubernetes.io/name";
const bare = { matchLabels: { [NAME]: "shop" } };
const by = (operator: string, values?: string[]) => ({
  matchExpressions: [{ key: COMPONENT, operator, values }],
});
const web = workload("Deployment", "web");
const spread = (labelSelector: unknown, more = {}) =>
  workload(
    "Deployment",
    "web",
    podSpec({
      topologySpreadConstraints: [
        {
          maxSkew: 1,
          topologyKey: "zone",
          whenUnsatisfiable: "ScheduleAnyway",
          labelSelector,
          ...more,
        },
      ],
    }),
  );
const affinity = (kind: string, required: boolean, labelSelector: object) => {
  const term = { topologyKey: "kubernetes.io/hostname", labelSelector };
  const terms = required
    ? { requiredDuringSchedulingIgnoredDuringExecution: [term] }
    : { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, podAffinityTerm: term }] };
  return workload("Deployment", "web", podSpec({ affinity: { [kind]: terms } }));
};
const from = (...peers: object[]) =>
  policy("allow", { podSelector: by("In", ["web"]), ingress: [{ from: peers }] });

table("selector-carries-component", [
  {
    title: "incident 1: a Service by name and instance",
    given: service("web", { selector: { [NAME]: "shop", "app.kubernetes.io/instance": "shop" } }),
    finds: ["violation web: spec.selector"],
  },
  { title: "a Service with it", given: service("web") },
  {
    title: "a Service with an empty value",
    given: service("web", { selector: { [COMPONENT]: "" } }),
    finds: ["violation web: spec.selector"],
  },
  { title: "a Service without a selector", given: service("web", { selector: undefined }) },
  { title: "a Service with an empty selector", given: service("web", { selector: {} }) },
  {
    title: "an ExternalName Service",
    given: service("web", { type: "ExternalName", selector: { a: "b" } }),
  },
  {
    title: "one pod of a StatefulSet by its name",
    given: service("web", { selector: { "statefulset.kubernetes.io/pod-name": "db-0" } }),
  },
  {
    title: "a Service's selector not known yet",
    given: service("web", { selector: UNKNOWN }),
    finds: ["unknown web: spec.selector"],
  },
  {
    title: "a Service's label not known yet",
    given: service("web", { selector: { [COMPONENT]: UNKNOWN } }),
    finds: [`unknown web: spec.selector["${COMPONENT}"]`],
  },
  {
    title: "another label of a Service not known yet",
    given: service("web", { selector: { [COMPONENT]: "web", [NAME]: UNKNOWN } }),
  },
  ...["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"].flatMap((kind) => [
    { title: `a ${kind} with it`, given: workload(kind, "web") },
    {
      title: `a ${kind}'s selector without it`,
      given: change(workload(kind, "web"), "spec.selector", bare),
      finds: ["violation web: spec.selector"],
    },
    {
      title: `a ${kind}'s template without it`,
      given: change(workload(kind, "web"), "spec.template.metadata.labels", { [NAME]: "shop" }),
      finds: ["violation web: spec.template.metadata.labels"],
    },
  ]),
  {
    title: "a CronJob has no selector, whatever it states",
    given: change(workload("CronJob", "web"), "spec.selector", bare),
    rawOnly: true,
  },
  {
    title: "a patch of a CronJob has none that would be unknown",
    given: { ...workload("CronJob", "web"), type: "kubernetes:batch/v1:CronJobPatch" },
    finds: ["unknown web: spec.jobTemplate.spec.template.spec.topologySpreadConstraints"],
  },
  {
    title: "a CronJob's template without it",
    given: change(
      workload("CronJob", "web"),
      "spec.jobTemplate.spec.template.metadata.labels",
      undefined,
    ),
    finds: ["violation web: spec.jobTemplate.spec.template.metadata.labels"],
  },
  {
    title: "a bare Pod without it",
    given: change(workload("Pod", "web"), "metadata.labels", {}),
    finds: ["violation web: metadata.labels"],
  },
  { title: "a Job has no selector of its own", given: workload("Job", "web") },
  {
    title: "a Job that selects by hand",
    given: workload("Job", "web", podSpec(), { manualSelector: true, selector: bare }),
    finds: ["violation web: spec.selector"],
  },
  {
    title: "a Job with the controller's selector",
    given: workload("Job", "web", podSpec(), {
      selector: { matchLabels: { "batch.kubernetes.io/controller-uid": "x" } },
    }),
  },
  { title: "In with one value", given: change(web, "spec.selector", by("In", ["web"])) },
  {
    title: "In without values",
    given: change(web, "spec.selector", by("In", [])),
    finds: ["violation web: spec.selector"],
  },
  ...["Exists", "NotIn", "DoesNotExist"].map((operator) => ({
    title: `${operator} is not enough`,
    given: change(web, "spec.selector", by(operator, ["db"])),
    finds: ["violation web: spec.selector"],
  })),
  {
    title: "no selector at all",
    given: change(web, "spec.selector", undefined),
    finds: ["violation web: spec.selector"],
  },
  {
    title: "matchExpressions not known yet beside a label that decides",
    given: change(web, "spec.selector.matchExpressions", UNKNOWN),
  },
  {
    title: "matchLabels not known yet",
    given: change(web, "spec.selector.matchLabels", UNKNOWN),
    finds: ["unknown web: spec.selector.matchLabels"],
  },
  // Budgets.
  { title: "a budget with it", given: budget("web") },
  {
    title: "a budget without it",
    given: budget("web", { selector: bare }),
    finds: ["violation web-budget: spec.selector"],
  },
  {
    title: "a budget for every pod",
    given: budget("web", { selector: {} }),
    finds: ["violation web-budget: spec.selector"],
  },
  {
    title: "a budget for none",
    given: budget("web", { selector: undefined }),
    finds: ["violation web-budget: spec.selector"],
  },
  // Network policies.
  { title: "default deny", given: policy("deny", { podSelector: {}, policyTypes: ["Ingress"] }) },
  {
    title: "an empty podSelector with a rule",
    given: policy("dns", { podSelector: {}, egress: [{ ports: [{ port: 53 }] }] }),
    finds: ["violation dns: spec.podSelector"],
  },
  {
    title: "a policy without it",
    given: policy("allow", { podSelector: bare }),
    finds: ["violation allow: spec.podSelector"],
  },
  { title: "peers with it", given: from({ podSelector: by("In", ["proxy"]) }) },
  {
    title: "a peer without it",
    given: from({ podSelector: by("In", ["proxy"]) }, { podSelector: bare }),
    finds: ["violation allow: spec.ingress[0].from[1].podSelector"],
  },
  {
    title: "a peer that is every pod",
    given: from({ podSelector: {} }),
    finds: ["violation allow: spec.ingress[0].from[0].podSelector"],
  },
  {
    title: "an egress peer without it",
    given: policy("allow", {
      podSelector: by("In", ["web"]),
      egress: [{ to: [{ podSelector: bare }] }],
    }),
    finds: ["violation allow: spec.egress[0].to[0].podSelector"],
  },
  {
    title: "a namespace as a peer",
    given: from({
      namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "ingress" } },
    }),
  },
  { title: "addresses as a peer", given: from({ ipBlock: { cidr: "10.0.0.0/8" } }) },
  {
    title: "the cluster's own DNS pods carry no component",
    given: policy("dns", {
      podSelector: by("In", ["web"]),
      egress: [
        {
          to: [
            {
              namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "kube-system" } },
              podSelector: { matchLabels: { "k8s-app": "kube-dns" } },
            },
          ],
        },
      ],
    }),
  },
  {
    title: "the same namespace, by an expression",
    given: from({
      namespaceSelector: {
        matchExpressions: [
          { key: "kubernetes.io/metadata.name", operator: "In", values: ["kube-system"] },
        ],
      },
      podSelector: bare,
    }),
  },
  {
    title: "among namespaces that are not all exempt",
    given: from({
      namespaceSelector: {
        matchExpressions: [
          { key: "kubernetes.io/metadata.name", operator: "In", values: ["kube-system", "blog"] },
        ],
      },
      podSelector: bare,
    }),
    finds: ["violation allow: spec.ingress[0].from[0].podSelector"],
  },
  {
    title: "a rule's peers not known yet keep the next rule's from nothing",
    given: policy("allow", {
      podSelector: by("In", ["web"]),
      ingress: [{ from: UNKNOWN }, { from: [{ podSelector: bare }] }],
    }),
    finds: [
      "violation allow: spec.ingress[1].from[0].podSelector",
      "unknown allow: spec.ingress[0].from",
    ],
  },
  {
    title: "pods of another namespace without it",
    given: from({ namespaceSelector: {}, podSelector: bare }),
    finds: ["violation allow: spec.ingress[0].from[0].podSelector"],
  },
  {
    title: "peers not known yet",
    given: policy("allow", { podSelector: by("In", ["web"]), ingress: [{ from: UNKNOWN }] }),
    finds: ["unknown allow: spec.ingress[0].from"],
  },
  {
    title: "a NetworkPolicy of Calico is another kind",
    given: kube("crd.projectcalico.org/v1", "NetworkPolicy", "deny", {
      spec: { podSelector: {}, ingress: [{}] },
    }),
  },
  // Spread and affinity.
  { title: "spread with it", given: spread({ matchLabels: { [COMPONENT]: "web" } }) },
  {
    title: "spread without it",
    given: spread(bare),
    finds: ["violation web: spec.template.spec.topologySpreadConstraints[0].labelSelector"],
  },
  { title: "spread by matchLabelKeys", given: spread(bare, { matchLabelKeys: [COMPONENT] }) },
  {
    title: "spread by matchLabelKeys of another label",
    given: spread(bare, { matchLabelKeys: ["pod-template-hash"] }),
    finds: ["violation web: spec.template.spec.topologySpreadConstraints[0].labelSelector"],
  },
  {
    title: "spread by matchLabelKeys without a selector selects nothing",
    given: spread(undefined, { matchLabelKeys: [COMPONENT] }),
    finds: ["violation web: spec.template.spec.topologySpreadConstraints[0].labelSelector"],
  },
  ...["podAffinity", "podAntiAffinity"].flatMap((kind) => [
    { title: `${kind} with it`, given: affinity(kind, true, by("In", ["web"])) },
    {
      title: `${kind} without it, required`,
      given: affinity(kind, true, bare),
      finds: [
        `violation web: spec.template.spec.affinity.${kind}.requiredDuringSchedulingIgnoredDuringExecution[0].labelSelector`,
      ],
    },
    {
      title: `${kind} without it, preferred`,
      given: affinity(kind, false, bare),
      finds: [
        `violation web: spec.template.spec.affinity.${kind}.preferredDuringSchedulingIgnoredDuringExecution[0].podAffinityTerm.labelSelector`,
      ],
    },
  ]),
  // Settings and kinds.
  {
    title: "another label by setting",
    given: service("web", { selector: { tier: "web" } }),
    settings: { label: "tier" },
  },
  {
    title: "an exempt namespace",
    given: service("web", { selector: bare.matchLabels }),
    settings: { exemptNamespaces: ["shop"] },
  },
  {
    title: "a Service of Knative is another kind",
    given: {
      ...change(service("web", { selector: { a: "b" } }), "apiVersion", "serving.knative.dev/v1"),
      type: "kubernetes:serving.knative.dev/v1:Service",
    },
  },
  {
    title: "a Deployment by a CustomResource's type",
    given: { ...change(web, "spec.selector", bare), type: "kubernetes:apps/v1beta1:Deployment" },
    finds: ["violation web: spec.selector"],
  },
  {
    title: "a ReplicationController's plain selector",
    given: workload("ReplicationController", "web"),
  },
  ...[undefined, {}].map((selector) => ({
    title: `a ReplicationController's selector is its pods' labels (${JSON.stringify(selector)})`,
    given: change(workload("ReplicationController", "web"), "spec.selector", selector),
  })),
  {
    title: "a ReplicationController without a selector, of pods without it",
    given: kube("v1", "ReplicationController", "web", {
      spec: { template: { metadata: { labels: { [NAME]: "shop" } }, spec: podSpec() } },
    }),
    finds: ["violation web: spec.selector", "violation web: spec.template.metadata.labels"],
  },
  {
    title: "a ReplicationController's plain selector without it",
    given: change(workload("ReplicationController", "web"), "spec.selector", { [NAME]: "shop" }),
    finds: ["violation web: spec.selector"],
  },
  {
    title: "a ReplicationController's template without it",
    given: change(workload("ReplicationController", "web"), "spec.template.metadata.labels", {}),
    finds: ["violation web: spec.template.metadata.labels"],
  },
  {
    title: "no labels at all",
    given: { ...web, props: {} },
    finds: ["violation web: spec.selector", "violation web: spec.template.metadata.labels"],
  },
]);
