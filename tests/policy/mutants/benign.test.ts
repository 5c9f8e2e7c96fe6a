/** Benign mutants: the same stack said in another way. All of them are silent. */
import assert from "node:assert/strict";
import { KubeObject, RawResource } from "../../../policy/core/objects";
import { Workload, workloadOf } from "../../../policy/core/workloads";
import { defaulted } from "../support/defaults";
import { get, places, set, Tree } from "../support/edit";
import { change, COMPONENT, kube, podSpec, resource, workload } from "../support/objects";
import { goodStack } from "./good";
import { judge } from "./judge";

type Same = (raw: RawResource, workload?: Workload) => RawResource | undefined;

const edited = (raw: RawResource, props: Tree) => ({ ...raw, props });

/** The object, changed, or undefined where there is nothing to change. */
function unlessSame(raw: RawResource, props: Tree): RawResource | undefined {
  return JSON.stringify(props) === JSON.stringify(raw.props) ? undefined : edited(raw, props);
}

/** Lists in which order means nothing to any rule; a command line's words stay in theirs. */
function reversed(value: unknown, key = ""): unknown {
  if (Array.isArray(value)) {
    const items = value.map((item) => reversed(item));
    return /^(args|command|initContainers|values)$/.test(key) ? items : items.reverse();
  }
  return typeof value === "object" && value !== null
    ? Object.fromEntries(
        Object.entries(value)
          .reverse()
          .map(([k, v]) => [k, reversed(v, k)]),
      )
    : value;
}

function everyNumberAsText(value: unknown, key = ""): unknown {
  if (typeof value === "number") {
    return /^(replicas|maxSurge|maxUnavailable|minAvailable|timeoutSeconds|backoffLimit|activeDeadlineSeconds|\w+HistoryLimit|port|runAsUser|minReplicas|maxReplicas)$/.test(
      key,
    )
      ? String(value)
      : value;
  }
  if (Array.isArray(value)) {
    return value.map((item) => everyNumberAsText(item));
  }
  return typeof value === "object" && value !== null
    ? Object.fromEntries(Object.entries(value).map(([k, v]) => [k, everyNumberAsText(v, k)]))
    : value;
}

/** Every place at which a value fits is replaced. */
function everywhere(raw: RawResource, path: RegExp, to: (value: unknown) => unknown) {
  const props = places(raw.props)
    .filter((at) => path.test(at))
    .reduce((tree, at) => set(tree, at, to(get(tree, at))), raw.props as Tree);
  return unlessSame(raw, props);
}

const inExpressions = (labels: unknown) =>
  Object.entries(labels as Tree).map(([key, value]) => ({ key, operator: "In", values: [value] }));

function podPath(workload: Workload | undefined, field: string): string | undefined {
  return workload && `${workload.spec.path}.${field}`;
}

const digest = `@sha256:${"0123456789abcdef".repeat(4)}`;

const OPERATORS: Record<string, Same> = {
  "as the server answers": (raw) => unlessSame(raw, defaulted(raw).props),
  "lists in another order": (raw) => unlessSame(raw, reversed(raw.props) as Tree),
  "numbers as text": (raw) => unlessSame(raw, everyNumberAsText(raw.props) as Tree),
  "more annotations": (raw) =>
    raw.props.metadata ? change(raw, 'metadata.annotations["example.com/team"]', "web") : undefined,
  "more labels": (raw) =>
    raw.props.metadata ? change(raw, 'metadata.labels["example.com/team"]', "web") : undefined,
  "empty annotations": (raw) =>
    raw.props.metadata && !get(raw.props, "metadata.annotations")
      ? change(raw, "metadata.annotations", {})
      : undefined,
  "null in place of absent": (raw) =>
    raw.props.metadata ? change(raw, "metadata.deletionGracePeriodSeconds", null) : undefined,
  "a status from the server": (raw) =>
    raw.props.metadata ? change(raw, "status", { observedGeneration: 3 }) : undefined,
  "selectors by expressions": (raw) =>
    everywhere(raw, /(elector|Selector)$/, (selector) => {
      const { matchLabels, ...rest } = selector as Tree;
      return matchLabels ? { ...rest, matchExpressions: inExpressions(matchLabels) } : selector;
    }),
  "memory in other units": (raw) =>
    everywhere(raw, /(requests|limits)\.memory$/, (memory) => {
      const [, number, unit] = /^(\d+)([MG])i$/.exec(`${memory}`) ?? [];
      return unit === "G"
        ? `${Number(number) * 1024}Mi`
        : unit
          ? `${Number(number) * 1024}Ki`
          : memory;
    }),
  "CPU in other units": (raw) =>
    everywhere(raw, /(requests|limits)\.cpu$/, (cpu) => {
      const [, milli] = /^(\d+)m$/.exec(`${cpu}`) ?? [];
      return milli ? Number(milli) / 1000 : `${Number(cpu) * 1000}m`;
    }),
  "digests in place of tags": (raw) =>
    everywhere(raw, /\.image$/, (image) => `${image}`.replace(/:[^:/]+$/, digest)),
  "digests beside tags": (raw) => everywhere(raw, /\.image$/, (image) => `${image}${digest}`),
  "from a registry with a port": (raw) =>
    everywhere(raw, /\.image$/, (image) => `mirror.example.com:5000/${image}`),
  "maxSurge 0 in place of Recreate": (raw) =>
    get(raw.props, "spec.strategy.type") === "Recreate"
      ? change(raw, "spec.strategy", { type: "RollingUpdate", rollingUpdate: { maxSurge: 0 } })
      : undefined,
  "one replica said": (raw) =>
    /:(StatefulSet|ReplicaSet)$/.test(raw.type) ? change(raw, "spec.replicas", 1) : undefined,
  "no replicas": (raw) =>
    /:Deployment$/.test(raw.type) && !/api$/.test(raw.urn)
      ? change(raw, "spec.replicas", 0)
      : undefined,
  "no ephemeral containers": (raw, pod) => withPath(raw, podPath(pod, "ephemeralContainers"), []),
  "on the host: no": (raw, pod) => withPath(raw, podPath(pod, "hostNetwork"), false),
  "on Linux": (raw, pod) => withPath(raw, podPath(pod, "os"), { name: "linux" }),
  "a priority": (raw, pod) => withPath(raw, podPath(pod, "priorityClassName"), "low"),
  "a node": (raw, pod) => withPath(raw, podPath(pod, "nodeName"), "node-1"),
  "a safe sysctl": (raw, pod) =>
    withPath(raw, podPath(pod, "securityContext.sysctls"), [
      { name: "net.ipv4.tcp_syncookies", value: "1" },
    ]),
  "a short-lived volume": (raw, pod) => {
    const volumes = pod && (get(raw.props, podPath(pod, "volumes")!) as unknown[] | undefined);
    const spec = { accessModes: ["ReadWriteOnce"] };
    const ephemeral = { name: "scratch", ephemeral: { volumeClaimTemplate: { spec } } };
    return withPath(raw, podPath(pod, "volumes"), [...(volumes ?? []), ephemeral]);
  },
  "the same claim twice": (raw, pod) => {
    const volumes = pod && (get(raw.props, podPath(pod, "volumes")!) as Tree[] | undefined);
    const claims = (volumes ?? []).filter((volume) => volume.persistentVolumeClaim);
    const again = claims.map((volume) => ({ ...volume, name: `${volume.name}-again` }));
    return again.length > 0
      ? withPath(raw, podPath(pod, "volumes"), [...volumes!, ...again])
      : undefined;
  },
  "a password by reference": (raw, pod) => {
    const secretKeyRef = { name: "db", key: "password" };
    const first = podPath(pod, "containers[0].env");
    const env = first && ((get(raw.props, first) as unknown[] | undefined) ?? []);
    return withPath(raw, first, [
      ...(env || []),
      { name: "DB_PASSWORD", valueFrom: { secretKeyRef } },
    ]);
  },
  "more ports": (raw, pod) =>
    withPath(raw, podPath(pod, "containers[0].ports"), [{ name: "extra", containerPort: 9000 }]),
  "policyTypes implied": (raw) =>
    (get(raw.props, "spec.egress") as unknown[] | undefined)?.length
      ? change(raw, "spec.policyTypes", undefined)
      : undefined,
  "no rules said": (raw) =>
    /deny$/.test(raw.urn) ? change(change(raw, "spec.ingress", []), "spec.egress", []) : undefined,
  "podSelector left out": (raw) =>
    /deny$/.test(raw.urn) ? change(raw, "spec.podSelector", undefined) : undefined,
  "half may go": (raw) =>
    /PodDisruptionBudget$/.test(raw.type)
      ? change(change(raw, "spec.minAvailable", undefined), "spec.maxUnavailable", "50%")
      : undefined,
  "none must stay": (raw) =>
    /PodDisruptionBudget$/.test(raw.type)
      ? change(change(raw, "spec.maxUnavailable", undefined), "spec.minAvailable", 0)
      : undefined,
  "the namespace from the provider": (raw) =>
    get(raw.props, "metadata.namespace")
      ? {
          ...change(raw, "metadata.namespace", undefined),
          provider: { props: { namespace: get(raw.props, "metadata.namespace") } },
        }
      : undefined,
};

function withPath(raw: RawResource, path: string | undefined, value: unknown) {
  return path === undefined ? undefined : change(raw, path.replace(/^\./, ""), value);
}

/** Objects that have nothing to do with the rest, or very little. */
const ADDED: Record<string, RawResource[]> = {
  "another application": [
    change(workload("Deployment", "blog", podSpec()), "metadata.namespace", "tools"),
    change(
      kube("v1", "Service", "blog", { spec: { selector: { [COMPONENT]: "blog" } } }),
      "metadata.namespace",
      "tools",
    ),
  ],
  "a second Service on the same pods": [
    change(
      kube("v1", "Service", "api-2", { spec: { selector: { [COMPONENT]: "api" } } }),
      "metadata.namespace",
      "tools",
    ),
  ],
  "a Service without a selector": [
    change(
      kube("v1", "Service", "mail", { spec: { ports: [{ port: 25 }] } }),
      "metadata.namespace",
      "tools",
    ),
    change(kube("v1", "Endpoints", "mail", { subsets: [] }), "metadata.namespace", "tools"),
  ],
  "a name of another host": [
    change(
      kube("v1", "Service", "mail", {
        spec: { type: "ExternalName", externalName: "mail.example.com" },
      }),
      "metadata.namespace",
      "tools",
    ),
  ],
  "a Certificate": [
    kube("cert-manager.io/v1", "Certificate", "web", { spec: { secretName: "web-tls" } }),
  ],
  "a Role": [kube("rbac.authorization.k8s.io/v1", "Role", "reader", { rules: [] })],
  "a Secret": [kube("v1", "Secret", "db", { type: "Opaque", stringData: { password: "hunter2" } })],
  "a namespace without workloads": [
    resource("kubernetes:core/v1:Namespace", "empty", {
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name: "empty" },
    }),
  ],
  "a resource of another provider": [
    resource("digitalocean:index/domain:Domain", "d", { name: "example.com" }),
  ],
  "a component": [resource("my:index:Component", "c", {})],
};

describe("benign mutants", () => {
  let stack: RawResource[];

  before(async () => {
    stack = await goodStack();
  });

  it("all are silent", () => {
    const loud: string[] = [];
    const counts = new Map<string, number>();
    const ask = (operator: string, on: string, resources: RawResource[]) => {
      counts.set(operator, (counts.get(operator) ?? 0) + 1);
      const told = judge(resources).map(({ message }) => message);
      loud.push(...told.map((message) => `${operator} on ${on}: ${message}`));
    };
    for (const raw of stack) {
      const pod = workloadOf(new KubeObject(raw));
      for (const [operator, mutate] of Object.entries(OPERATORS)) {
        const mutant = mutate(raw, pod);
        if (mutant) {
          ask(
            operator,
            raw.urn,
            stack.map((other) => (other === raw ? mutant : other)),
          );
        }
      }
    }
    for (const [operator, added] of Object.entries(ADDED)) {
      ask(operator, "the stack", [...stack, ...added]);
    }
    ask("resources in another order", "the stack", [...stack].reverse());
    ask("all as the server answers", "the stack", stack.map(defaulted));
    const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
    console.log(`    ${total} benign mutants of ${counts.size} operators`);
    assert.deepEqual(loud, []);
    assert.ok(total >= 150);
    const unused = Object.keys(OPERATORS).filter((operator) => !counts.has(operator));
    assert.deepEqual(unused, [], "operators that changed nothing");
  });
});
