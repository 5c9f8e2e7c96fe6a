/** Operators that break one thing in one object, named by kind and name, or add or remove an object. */
import type { RawResource } from "../../../policy/core/objects";
import { change, claimVolume, COMPONENT, kube, podSpec, resource } from "../support/objects";

export interface StackOperator {
  name: string;
  rule: string;
  /** `Kind name` of the object that changes, or `+` with the object that is added. */
  on: string;
  path?: string;
  value?: unknown;
  /** A change that the path does not tell. */
  edit?: (raw: RawResource) => RawResource | undefined;
  add?: RawResource;
  /** `Kind name` of the object that is to be told, when it is another one. */
  told?: string;
}

const NAME = "app.kubernetes.io/name";
const wrong = { matchLabels: { [COMPONENT]: "wbe" } };
const named = (name: string) => ({ matchLabels: { [NAME]: name } });
const either = (...values: string[]) => ({
  matchExpressions: [{ key: COMPONENT, operator: "In", values }],
});
const unprotected = (raw: RawResource) => ({ ...raw, opts: { protect: false } });
const gone = () => undefined;
const tool = (raw: RawResource) => change(raw, "metadata.namespace", "tools");

/** Runs of the backup that overlap share its claim too: that breaks two rules, so it is no mutant. */
const overlapping = (path: string, value: unknown) =>
  path === "concurrencyPolicy" && value !== "Replace";

const cronJobs = ["matomo-archive", "matomo-backup", "report"].flatMap((name) =>
  (
    [
      ["runs overlap", "concurrencyPolicy", "Allow"],
      ["runs overlap by default", "concurrencyPolicy", undefined],
      ["a run kills another", "concurrencyPolicy", "Replace"],
      ["many good Jobs kept", "successfulJobsHistoryLimit", 100],
      ["many failed Jobs kept", "failedJobsHistoryLimit", 100],
      ["no deadline", "jobTemplate.spec.activeDeadlineSeconds", undefined],
      ["retries by default", "jobTemplate.spec.backoffLimit", undefined],
      ["many retries", "jobTemplate.spec.backoffLimit", 100],
      ["never in time", "startingDeadlineSeconds", 5],
      ["six fields", "schedule", "0 0 3 * * *"],
      ["weekday 7", "schedule", "0 3 * * 7"],
      ["time zone in the schedule", "schedule", "TZ=UTC 0 3 * * *"],
    ] as const
  )
    .filter(([, path, value]) => name !== "matomo-backup" || !overlapping(path, value))
    .map(([what, path, value]) => ({
      name: what,
      rule: "cron-job-is-bounded",
      on: `CronJob ${name}`,
      path: `spec.${path}`,
      value,
    })),
);

const rollouts = ["matomo", "files"].flatMap((name) =>
  [
    ["strategy by default", undefined],
    ["RollingUpdate", { type: "RollingUpdate" }],
    ["a surge of one", { type: "RollingUpdate", rollingUpdate: { maxSurge: 1 } }],
    ["a surge of 1%", { type: "RollingUpdate", rollingUpdate: { maxSurge: "1%" } }],
  ].map(([what, value]) => ({
    name: what as string,
    rule: "rwo-workload-recreates",
    on: `Deployment ${name}`,
    path: "spec.strategy",
    value,
  })),
);

const selecting = [
  "Deployment matomo",
  "Deployment api",
  "StatefulSet matomo-mariadb",
  "DaemonSet agent",
  "ReplicaSet pool",
].flatMap((on) => [
  {
    name: "selector without the component",
    rule: "selector-carries-component",
    on,
    path: "spec.selector",
    value: named("api"),
  },
  {
    name: "selector by Exists",
    rule: "selector-carries-component",
    on,
    path: "spec.selector",
    value: { matchExpressions: [{ key: COMPONENT, operator: "Exists" }] },
  },
]);

const services = ["matomo", "matomo-mariadb", "api", "cache"].flatMap((name) => [
  {
    name: "Service without the component",
    rule: "selector-carries-component",
    on: `Service ${name}`,
    path: `spec.selector["${COMPONENT}"]`,
    value: undefined,
  },
  {
    name: "Service for no pod",
    rule: "service-selects-one-component",
    on: `Service ${name}`,
    path: `spec.selector["${COMPONENT}"]`,
    value: "wbe",
  },
  {
    name: "Service for no pod, by another label",
    rule: "service-selects-one-component",
    on: `Service ${name}`,
    path: "spec.selector.tier",
    value: "gone",
  },
]);

const budgets: StackOperator[] = ["matomo", "matomo-mariadb", "api"].flatMap((name) => {
  const on = `PodDisruptionBudget ${name}`;
  const rule = "disruption-budget-allows-drain";
  const least = (value: unknown) => (raw: RawResource) =>
    change(change(raw, "spec.maxUnavailable", undefined), "spec.minAvailable", value);
  const most = (value: unknown) => (raw: RawResource) =>
    change(change(raw, "spec.minAvailable", undefined), "spec.maxUnavailable", value);
  return [
    { name: "none may go", rule, on, edit: most(0) },
    { name: "0% may go", rule, on, edit: most("0%") },
    { name: "all must stay", rule, on, edit: least("100%") },
    { name: "more must stay than run", rule, on, edit: least(name === "api" ? 2 : 1) },
    { name: "rounded up to all", rule, on, edit: least(name === "api" ? "51%" : "50%") },
    { name: "says nothing", rule, on, edit: least(undefined) },
    {
      name: "budget for no pod",
      rule: "service-selects-one-component",
      on,
      path: "spec.selector",
      value: wrong,
    },
  ];
});

const policies: StackOperator[] = [
  "matomo",
  "matomo-mariadb",
  "matomo-archive",
  "matomo-backup",
  "api",
].flatMap((name) => {
  const on = `NetworkPolicy ${name}`;
  const selects = "service-selects-one-component";
  const carries = "selector-carries-component";
  const open = "network-default-deny";
  const world = { ipBlock: { cidr: "0.0.0.0/0" } };
  return [
    {
      name: "policy without the component",
      rule: carries,
      on,
      path: "spec.podSelector",
      value: named("api"),
    },
    { name: "policy for every pod", rule: carries, on, path: "spec.podSelector", value: {} },
    { name: "policy for no pod", rule: selects, on, path: "spec.podSelector", value: wrong },
    {
      name: "policy for two components",
      rule: selects,
      on,
      path: "spec.podSelector",
      value: name === "api" ? either("api", "cache") : either("web", "mariadb"),
    },
    {
      name: "peer for no pod",
      rule: selects,
      on,
      path: "spec.ingress[0]",
      value: { from: [{ podSelector: wrong }], ports: [{ port: 1 }] },
    },
    {
      name: "target for no pod",
      rule: selects,
      on,
      path: "spec.egress[0]",
      value: { to: [{ podSelector: wrong }], ports: [{ port: 1 }] },
    },
    {
      name: "peer without the component",
      rule: carries,
      on,
      path: "spec.ingress[0]",
      value: { from: [{ podSelector: named("x") }], ports: [{ port: 1 }] },
    },
    {
      name: "peer that is every pod",
      rule: carries,
      on,
      path: "spec.egress[0]",
      value: { to: [{ podSelector: {} }], ports: [{ port: 1 }] },
    },
    { name: "open to anybody", rule: open, on, path: "spec.ingress[0]", value: {} },
    { name: "open to anywhere", rule: open, on, path: "spec.egress[0]", value: {} },
    { name: "open to the world", rule: open, on, path: "spec.egress[0]", value: { to: [world] } },
    {
      name: "open on every port",
      rule: open,
      on,
      path: "spec.egress[0]",
      value: { to: [world], ports: [{ protocol: "TCP" }] },
    },
  ];
});

const denials: StackOperator[] = [
  ["matomo-default-deny", "Namespace matomo"],
  ["tools-deny", "Namespace tools"],
].flatMap(([name, namespace]) => {
  const rule = "network-default-deny";
  const on = `NetworkPolicy ${name}`;
  return [
    { name: "ingress denied alone", rule, on, path: "spec.policyTypes", value: ["Ingress"] },
    { name: "egress denied alone", rule, on, path: "spec.policyTypes", value: ["Egress"] },
    { name: "no types", rule, on, path: "spec.policyTypes", value: undefined },
    { name: "nothing denied", rule, on, edit: gone, told: namespace },
  ];
});

const data: StackOperator[] = [
  ...["matomo", "matomo-backup", "data-matomo-mariadb-0", "share", "files"].map(
    (name) => `PersistentVolumeClaim ${name}`,
  ),
  ...["admin-password", "database-password", "database-root-password"].map(
    (name) => `RandomPassword ${name}`,
  ),
  "Volume disk",
].map((on) => ({ name: "not protected", rule: "data-is-protected", on, edit: unprotected }));

const volumes: StackOperator[] = [
  ...["files", "pool"].map((name) => ({
    name: "volume goes with its claim",
    rule: "data-is-protected",
    on: `PersistentVolume ${name}`,
    path: "spec.persistentVolumeReclaimPolicy",
    value: "Delete",
  })),
  ...["matomo-mariadb", "cache"].flatMap((name) =>
    ["whenDeleted", "whenScaled"].map((when) => ({
      name: `claims go ${when}`,
      rule: "data-is-protected",
      on: `StatefulSet ${name}`,
      path: `spec.persistentVolumeClaimRetentionPolicy.${when}`,
      value: "Delete",
    })),
  ),
  {
    name: "two claims on one volume",
    rule: "rwo-volume-not-shared",
    on: "PersistentVolumeClaim pool",
    path: "spec.volumeName",
    value: "files",
  },
  {
    name: "two volumes of one handle",
    rule: "rwo-volume-not-shared",
    on: "PersistentVolume pool",
    path: "spec.csi.volumeHandle",
    value: "vol-files",
  },
  {
    name: "two replicas on one claim",
    rule: "rwo-volume-not-shared",
    on: "Deployment files",
    path: "spec.replicas",
    value: 2,
  },
  {
    name: "two replicas on one claim",
    rule: "rwo-volume-not-shared",
    on: "Deployment matomo",
    path: "spec.replicas",
    value: 2,
  },
  {
    name: "two replicas on one claim",
    rule: "rwo-volume-not-shared",
    on: "ReplicaSet pool",
    path: "spec.replicas",
    value: 2,
  },
  {
    name: "the archive job mounts the site's claim",
    rule: "rwo-volume-not-shared",
    on: "CronJob matomo-archive",
    path: "spec.jobTemplate.spec.template.spec.volumes[9]",
    value: claimVolume("matomo"),
  },
  {
    name: "the backup job mounts the database's claim",
    rule: "rwo-volume-not-shared",
    on: "CronJob matomo-backup",
    path: "spec.jobTemplate.spec.template.spec.volumes[9]",
    value: claimVolume("data-matomo-mariadb-0"),
  },
  {
    name: "the site mounts the backups",
    rule: "rwo-volume-not-shared",
    on: "Deployment matomo",
    path: "spec.template.spec.volumes[19]",
    value: claimVolume("matomo-backup"),
  },
];

const file = (name: string, text: string) => ({
  rule: "no-plain-secrets",
  on: "ConfigMap notes",
  path: `data["${name}"]`,
  value: text,
});

const config: StackOperator[] = [
  { name: "password as a file", ...file("password", "hunter2") },
  { name: "password in YAML", ...file("db.yaml", "password: hunter2") },
  { name: "password in an ini", ...file("my.cnf", "[client]\npassword=hunter2") },
  { name: "password in PHP", ...file("db.php", "define('DB_PASSWORD', 'hunter2');") },
  { name: "password in a script", ...file("run.sh", "PGPASSWORD=hunter2 psql") },
  { name: "private key", ...file("id", "-----BEGIN OPENSSH PRIVATE KEY-----\nabc") },
  {
    name: "PHP over the container",
    rule: "php-memory-fits",
    on: "ConfigMap matomo-config",
    path: 'data["99-matomo.ini"]',
    value: "memory_limit = 2G\n",
    told: "Deployment matomo",
  },
  {
    name: "PHP without a limit",
    rule: "php-memory-fits",
    on: "ConfigMap matomo-config",
    path: 'data["99-matomo.ini"]',
    value: "memory_limit = -1\n",
    told: "Deployment matomo",
  },
  {
    name: "workers over the container",
    rule: "php-memory-fits",
    on: "ConfigMap matomo-config",
    path: 'data["site.conf"]',
    value: "Define WORKERS 100\n",
    told: "Deployment matomo",
  },
  {
    name: "a smaller container",
    rule: "php-memory-fits",
    on: "Deployment matomo",
    path: "spec.template.spec.containers[0].resources",
    value: { limits: { cpu: 1, memory: "300Mi" } },
  },
];

const bindings: StackOperator[] = [
  {
    name: "token mounted by default",
    rule: "token-only-where-bound",
    on: "DaemonSet agent",
    path: "spec.template.spec.automountServiceAccountToken",
    value: undefined,
  },
  {
    name: "Role not bound",
    rule: "token-only-where-bound",
    on: "RoleBinding report",
    edit: gone,
    told: "CronJob report",
  },
  {
    name: "Role bound elsewhere",
    rule: "token-only-where-bound",
    on: "RoleBinding report",
    path: "subjects[0].namespace",
    value: "matomo",
    told: "CronJob report",
  },
  {
    name: "Role bound to another",
    rule: "token-only-where-bound",
    on: "RoleBinding report",
    path: "subjects[0].name",
    value: "default",
    told: "CronJob report",
  },
];

const added: StackOperator[] = [
  {
    name: "a second budget",
    rule: "disruption-budget-allows-drain",
    on: "+",
    add: tool(
      kube("policy/v1", "PodDisruptionBudget", "second", {
        spec: { maxUnavailable: 1, selector: { matchLabels: { [COMPONENT]: "api" } } },
      }),
    ),
  },
  {
    name: "a Helm Release",
    rule: "workloads-are-analysed",
    on: "+",
    add: resource("kubernetes:helm.sh/v3:Release", "blog", { chart: "wordpress" }),
  },
  {
    name: "an unknown kind of workload",
    rule: "workloads-are-analysed",
    on: "+",
    add: tool(
      kube("argoproj.io/v1alpha1", "Rollout", "canary", {
        spec: { template: { spec: podSpec() } },
      }),
    ),
  },
  {
    name: "a claim that nobody protects",
    rule: "data-is-protected",
    on: "+",
    add: tool(kube("v1", "PersistentVolumeClaim", "extra", { spec: {} })),
  },
  {
    name: "a namespace without policies",
    rule: "network-default-deny",
    on: "+",
    add: change(
      kube("v1", "Pod", "lone", { metadata: { labels: { [COMPONENT]: "lone" } }, spec: podSpec() }),
      "metadata.namespace",
      "lone",
    ),
  },
];

export const stackOperators: StackOperator[] = [
  ...cronJobs,
  ...rollouts,
  ...selecting,
  ...services,
  ...budgets,
  ...policies,
  ...denials,
  ...data,
  ...volumes,
  ...config,
  ...bindings,
  ...added,
];
