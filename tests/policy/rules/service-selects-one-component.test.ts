import {
  budget,
  change,
  COMPONENT,
  kube,
  policy,
  resource,
  service,
  workload,
} from "../support/objects";
import { UNKNOWN } from "../support/proxy";
import { table } from "../support/table";

const pods = [workload("Deployment", "web"), workload("StatefulSet", "db")];
const to = (selector: object) => service("web", { selector });
const both = { matchExpressions: [{ key: COMPONENT, operator: "In", values: ["web", "db"] }] };
const none = { [COMPONENT]: "wbe" };
const DANGLING = ["violation web: spec.selector"];
const allow = (podSelector: object, ingress: object[] = []) =>
  policy("allow", { podSelector, ingress });

table("service-selects-one-component", [
  { title: "one component", given: [...pods, service("web")] },
  {
    title: "two Services on the same pods",
    given: [...pods, service("web"), to({ [COMPONENT]: "web" })],
  },
  {
    title: "two workloads of one component",
    given: [
      ...pods,
      change(workload("Job", "canary"), "spec.template.metadata.labels", { [COMPONENT]: "web" }),
      service("web"),
    ],
  },
  {
    title: "incident 1 is told by the rule about the label, unless that is off",
    given: [...pods, to({ app: "shop" })].map((o) =>
      change(o, "spec.template.metadata.labels.app", "shop"),
    ),
  },
  {
    title: "incident 1, with that rule off",
    given: [
      ...pods.map((o) => change(o, "spec.template.metadata.labels.app", "shop")),
      to({ app: "shop" }),
    ],
    settings: { withoutComponent: true },
    finds: ["violation web: spec.selector"],
    says: "pods of 2 components: web (Deployment shop/web), db (StatefulSet shop/db)",
  },
  {
    title: "one of them is no component, with that rule off",
    given: [
      change(pods[0], "spec.template.metadata.labels.app", "shop"),
      change(workload("Job", "x"), "spec.template.metadata.labels", { app: "shop" }),
      to({ app: "shop" }),
    ],
    settings: { withoutComponent: true },
    finds: DANGLING,
    says: "pods of 2 components: web (Deployment shop/web), no component (Job shop/x)",
  },
  {
    title: "two components in an exempt namespace",
    given: [...pods, budget("web", { selector: both })],
    settings: { exemptNamespaces: ["shop"] },
  },
  {
    title: "a budget for two components",
    given: [...pods, budget("web", { selector: both })],
    finds: ["violation web-budget: spec.selector"],
  },
  {
    title: "a policy for two components",
    given: [...pods, allow(both)],
    finds: ["violation allow: spec.podSelector"],
  },
  {
    title: "a peer of two components",
    given: [
      ...pods,
      allow({ matchLabels: { [COMPONENT]: "web" } }, [{ from: [{ podSelector: both }] }]),
    ],
  },
  // Dangling.
  {
    title: "a Service that selects nothing",
    given: [...pods, to(none)],
    finds: DANGLING,
    says: "no pod of this stack in namespace shop",
  },
  {
    title: "one matching label of two is no match",
    given: [...pods, to({ [COMPONENT]: "web", app: "shop" })],
    finds: DANGLING,
  },
  {
    title: "pods in another namespace",
    given: [
      ...pods,
      workload("Deployment", "proxy"),
      change(service("web"), "metadata.namespace", "blog"),
      change(workload("Job", "x"), "metadata.namespace", "blog"),
    ],
    finds: DANGLING,
  },
  {
    title: "incident 18: a policy whose labels match no pod",
    given: [...pods, allow({ matchLabels: none })],
    finds: ["violation allow: spec.podSelector"],
  },
  {
    title: "incident 18: a peer whose labels match no pod",
    given: [
      ...pods,
      allow({ matchLabels: { [COMPONENT]: "web" } }, [
        { from: [{ podSelector: { matchLabels: none } }] },
      ]),
    ],
    finds: ["violation allow: spec.ingress[0].from[0].podSelector"],
  },
  ...[
    { matchLabels: { "kubernetes.io/metadata.name": "shop" } },
    {
      matchExpressions: [{ key: "kubernetes.io/metadata.name", operator: "In", values: ["shop"] }],
    },
  ].map((namespaceSelector, i) => ({
    title: `a peer of its own namespace by name whose labels match no pod (${i})`,
    given: [
      ...pods,
      allow({}, [{ from: [{ namespaceSelector, podSelector: { matchLabels: none } }] }]),
    ],
    finds: ["violation allow: spec.ingress[0].from[0].podSelector"],
  })),
  {
    title: "peers of other namespaces, by name and by labels",
    given: [
      ...pods,
      allow({}, [
        {
          from: [
            { matchLabels: { "kubernetes.io/metadata.name": "blog" } },
            { matchLabels: { team: "shop" } },
            {
              matchExpressions: [
                { key: "kubernetes.io/metadata.name", operator: "In", values: ["shop", "blog"] },
              ],
            },
            {
              matchExpressions: [
                { key: "kubernetes.io/metadata.name", operator: "In", values: [] },
              ],
            },
            {},
          ].map((namespaceSelector) => ({
            namespaceSelector,
            podSelector: { matchLabels: none },
          })),
        },
      ]),
    ],
  },
  {
    title: "a peer of its own namespace by name whose labels match",
    given: [
      ...pods,
      allow({}, [
        {
          from: [
            {
              namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "shop" } },
              podSelector: { matchLabels: { [COMPONENT]: "web" } },
            },
          ],
        },
      ]),
    ],
  },
  {
    title: "an egress peer whose labels match no pod",
    given: [
      ...pods,
      policy("allow", {
        podSelector: { matchLabels: { [COMPONENT]: "web" } },
        egress: [{ to: [{ podSelector: { matchLabels: none } }] }],
      }),
    ],
    finds: ["violation allow: spec.egress[0].to[0].podSelector"],
  },
  {
    title: "a budget that selects nothing",
    given: [...pods, budget("wbe")],
    finds: ["violation wbe-budget: spec.selector"],
  },
  // Not dangling.
  { title: "no selector", given: [...pods, service("web", { selector: undefined })] },
  {
    title: "ExternalName",
    given: [...pods, service("web", { type: "ExternalName", selector: none })],
  },
  {
    title: "a pod by its name",
    given: [...pods, to({ [COMPONENT]: "x", "statefulset.kubernetes.io/pod-name": "db-0" })],
  },
  { title: "no pods of this stack in the namespace", given: [service("web")] },
  {
    title: "a component that an operator makes",
    given: [...pods, to({ [COMPONENT]: "acme-solver" })],
  },
  {
    title: "a component that another stack makes",
    given: [...pods, to({ [COMPONENT]: "cache" })],
    settings: { operatorComponents: ["queue", "cache"] },
  },
  {
    title: "no component at all, with that rule off",
    given: [...pods, to({ app: "shop" })],
    settings: { withoutComponent: true },
    finds: DANGLING,
  },
  {
    title: "an exempt namespace",
    given: [...pods, to(none)],
    settings: { exemptNamespaces: ["shop"] },
  },
  { title: "default deny", given: [...pods, policy("deny", { podSelector: {} })] },
  {
    title: "a peer in another namespace",
    given: [
      ...pods,
      allow({ matchLabels: { [COMPONENT]: "web" } }, [
        { from: [{ podSelector: { matchLabels: none }, namespaceSelector: {} }] },
      ]),
    ],
  },
  {
    title: "a template that lacks the component is not the Service's fault",
    given: [
      change(workload("Deployment", "web"), "spec.template.metadata.labels", { a: "b" }),
      service("web"),
    ],
  },
  {
    title: "a template that lacks the component and another label too",
    given: [
      change(workload("Deployment", "web"), "spec.template.metadata.labels", { a: "b" }),
      to({ [COMPONENT]: "web", a: "c" }),
    ],
    finds: DANGLING,
  },
  {
    title: "a template elsewhere that lacks the component excuses nothing",
    given: [
      pods[1],
      change(change(pods[0], "metadata.namespace", "blog"), "spec.template.metadata.labels", {}),
      service("web"),
    ],
    finds: DANGLING,
  },
  {
    title: "a Helm Release in the namespace may make them",
    given: [
      ...pods,
      resource("kubernetes:helm.sh/v3:Release", "r", { namespace: "shop" }),
      to(none),
    ],
    finds: ["unknown web: Release"],
  },
  {
    title: "a Helm Release may be in the namespace",
    given: [
      ...pods,
      resource("kubernetes:helm.sh/v3:Release", "r", { namespace: UNKNOWN }),
      to(none),
    ],
    finds: ["unknown web: Release"],
  },
  {
    title: "a Helm Release in the provider's namespace",
    given: [
      ...pods,
      resource(
        "kubernetes:helm.sh/v3:Release",
        "r",
        {},
        { provider: { props: { namespace: "shop" } } },
      ),
      to(none),
    ],
    finds: ["unknown web: Release"],
  },
  {
    title: "a Helm Release in another namespace does not",
    given: [
      ...pods,
      resource("kubernetes:helm.sh/v3:Release", "r", { namespace: "blog" }),
      to(none),
    ],
    finds: DANGLING,
  },
  {
    title: "an unknown kind with a pod template may make them",
    given: [
      ...pods,
      kube("argoproj.io/v1alpha1", "Rollout", "r", {
        spec: { template: { spec: { containers: [{ image: "a:1" }] } } },
      }),
      to(none),
    ],
    finds: ["unknown web: Rollout"],
  },
  // Not known yet.
  {
    title: "labels of pods not known yet",
    given: [change(pods[0], "spec.template.metadata.labels", UNKNOWN), service("web")],
    finds: ["unknown web: Deployment"],
  },
  {
    title: "labels not known yet of pods in another namespace",
    given: [
      change(pods[0], "spec.template.metadata.labels", UNKNOWN),
      change(service("web"), "metadata.namespace", "tools"),
    ],
  },
  {
    title: "labels not known yet beside pods that match",
    given: [
      ...pods,
      change(workload("Job", "x"), "spec.template.metadata.labels", { [COMPONENT]: UNKNOWN }),
      service("web"),
    ],
    finds: ["unknown web: Job"],
  },
  {
    title: "labels not known yet that a peer may mean",
    given: [
      ...pods,
      change(workload("Job", "x"), "spec.template.metadata.labels", { [COMPONENT]: UNKNOWN }),
      allow({}, [{ from: [{ podSelector: { matchLabels: none } }] }]),
    ],
    finds: ["unknown allow: Job"],
  },
  {
    title: "labels not known yet that cannot match",
    given: [
      ...pods,
      change(workload("Job", "x"), "spec.template.metadata.labels", {
        [COMPONENT]: "x",
        a: UNKNOWN,
      }),
      service("web"),
    ],
  },
  {
    title: "a selector not known yet",
    given: [...pods, service("web", { selector: UNKNOWN })],
    finds: ["unknown web: spec.selector"],
  },
  {
    title: "a value not known yet",
    given: [...pods, to({ [COMPONENT]: UNKNOWN })],
    finds: [`unknown web: spec.selector["${COMPONENT}"]`],
  },
  {
    title: "NotIn and Exists select more",
    given: [
      ...pods,
      allow({
        matchLabels: { [COMPONENT]: "web" },
        matchExpressions: [
          { key: COMPONENT, operator: "Exists" },
          { key: "gone", operator: "DoesNotExist" },
          { key: COMPONENT, operator: "NotIn", values: ["db"] },
        ],
      }),
    ],
  },
  {
    title: "an operator that does not exist matches nothing",
    given: [
      ...pods,
      allow({
        matchLabels: { [COMPONENT]: "web" },
        matchExpressions: [{ key: "a", operator: "Like" }],
      }),
    ],
    finds: ["violation allow: spec.podSelector"],
  },
]);
