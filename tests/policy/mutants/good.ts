/**
 * The good stack that mutants start from: the real program's objects, and companions of the kinds and
 * slots that Matomo has no use for, so that every rule meets every workload kind.
 */
import type { RawResource } from "../../../policy/core/objects";
import { render } from "../../render";
import { get, Tree } from "../support/edit";
import {
  change,
  claim,
  claimVolume,
  COMPONENT,
  container,
  kube,
  podSpec,
  resource,
  volume,
  workload,
} from "../support/objects";

const NAME = "app.kubernetes.io/name";
const kept = { opts: { protect: true } };

/** The program's objects. Its Pulumi names repeat below components: URNs here end in the object's. */
async function matomo(): Promise<RawResource[]> {
  const rendered = await render();
  return rendered
    .filter(({ type }) => !/^(pulumi:|matomo:)/.test(type))
    .map(({ type, name, props, opts }) => {
      const own = `${props.metadata?.name ?? name}`;
      const urn = `urn:pulumi:test::test::${type}::${own}`;
      return { type, name, urn, props, opts: { protect: opts.protect === true } };
    });
}

/** A pod with a container in every slot. */
function slots(more: Tree = {}): Tree {
  const side = { ...container("side"), restartPolicy: "Always" };
  return podSpec({ initContainers: [container("init"), side], ...more });
}

function tool(kind: string, name: string, pod: Tree = slots(), spec: Tree = {}): RawResource {
  const made = workload(kind, name, pod, spec);
  const way = { Pod: "", CronJob: "spec.jobTemplate.spec.template." }[kind] ?? "spec.template.";
  const named = change(made, `${way}metadata.labels["${NAME}"]`, name);
  return change(named, "metadata.namespace", "tools");
}

const inTools = (raw: RawResource) => change(raw, "metadata.namespace", "tools");
const only = (name: string) => ({ matchLabels: { [COMPONENT]: name, [NAME]: name } });

const apart = {
  topologySpreadConstraints: [
    {
      maxSkew: 1,
      topologyKey: "topology.kubernetes.io/zone",
      whenUnsatisfiable: "ScheduleAnyway",
      labelSelector: only("api"),
    },
  ],
  affinity: {
    podAntiAffinity: {
      preferredDuringSchedulingIgnoredDuringExecution: [
        {
          weight: 1,
          podAffinityTerm: { topologyKey: "kubernetes.io/hostname", labelSelector: only("api") },
        },
      ],
    },
  },
};

function tools(): RawResource[] {
  const binding = kube("rbac.authorization.k8s.io/v1", "RoleBinding", "report", {
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "report" },
    subjects: [{ kind: "ServiceAccount", name: "report", namespace: "tools" }],
  });
  const csi = (volumeHandle: string) => ({
    accessModes: ["ReadWriteOnce"],
    persistentVolumeReclaimPolicy: "Retain",
    csi: { driver: "dobs.csi.digitalocean.com", volumeHandle },
  });
  return [
    resource("kubernetes:core/v1:Namespace", "tools", {
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name: "tools" },
    }),
    inTools(
      kube("networking.k8s.io/v1", "NetworkPolicy", "tools-deny", {
        spec: { podSelector: {}, policyTypes: ["Ingress", "Egress"] },
      }),
    ),
    inTools(
      kube("networking.k8s.io/v1", "NetworkPolicy", "api", {
        spec: {
          podSelector: only("api"),
          policyTypes: ["Ingress", "Egress"],
          ingress: [{ from: [{ podSelector: only("agent") }], ports: [{ port: 8080 }] }],
          egress: [{ to: [{ podSelector: only("cache") }], ports: [{ port: 6379 }] }],
        },
      }),
    ),
    tool("Deployment", "api", slots({ ...apart, volumes: [claimVolume("share")] }), {
      replicas: 3,
    }),
    tool("Deployment", "files", slots({ volumes: [claimVolume("files")] }), {
      strategy: { type: "Recreate" },
    }),
    tool("StatefulSet", "cache", slots(), {
      volumeClaimTemplates: [
        { metadata: { name: "data" }, spec: { accessModes: ["ReadWriteOnce"] } },
      ],
    }),
    // Of no claim: what mounts another's breaks one rule and no second one.
    tool("Deployment", "mail", slots(), { strategy: { type: "Recreate" } }),
    tool("StatefulSet", "queue"),
    tool("DaemonSet", "agent"),
    tool("ReplicaSet", "pool", slots({ volumes: [claimVolume("pool")] }), { replicas: 1 }),
    tool("Job", "migrate", slots({ volumes: [claimVolume("share")] })),
    tool(
      "CronJob",
      "report",
      slots({ serviceAccountName: "report", automountServiceAccountToken: true }),
    ),
    tool("Pod", "shell"),
    inTools(kube("v1", "ServiceAccount", "report", {})),
    inTools(binding),
    { ...inTools(claim("share", { accessModes: ["ReadWriteMany"] })), ...kept },
    { ...inTools(claim("files", { volumeName: "files" })), ...kept },
    { ...inTools(claim("pool", { volumeName: "pool" })), ...kept },
    volume("files", csi("vol-files")),
    volume("pool", csi("vol-pool")),
    inTools(kube("v1", "Service", "api", { spec: { selector: only("api").matchLabels } })),
    inTools(
      kube("v1", "Service", "cache", {
        spec: { clusterIP: "None", selector: only("cache").matchLabels },
      }),
    ),
    inTools(
      kube("policy/v1", "PodDisruptionBudget", "api", {
        spec: { selector: only("api"), minAvailable: 1 },
      }),
    ),
    inTools(
      kube("autoscaling/v2", "HorizontalPodAutoscaler", "api", {
        spec: {
          scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "api" },
          minReplicas: 2,
          maxReplicas: 5,
        },
      }),
    ),
    inTools(kube("v1", "ConfigMap", "notes", { data: { "app.yaml": "level: info\n" } })),
    { ...resource("digitalocean:index/volume:Volume", "disk", { size: 10 }), ...kept },
  ];
}

export async function goodStack(): Promise<RawResource[]> {
  return [...(await matomo()), ...tools()];
}

/** The same with a single container in most of the companions' pods: all slots are alike. */
export async function smallStack(): Promise<RawResource[]> {
  return (await goodStack()).map((raw) => {
    const way = raw.type.endsWith(":CronJob") ? "spec.jobTemplate.spec" : "spec";
    const path = raw.type.endsWith(":Pod") ? "spec" : `${way}.template.spec`;
    const companion = get(raw.props, "metadata.namespace") === "tools";
    return companion && !raw.urn.endsWith("::api") && get(raw.props, `${path}.initContainers`)
      ? change(raw, `${path}.initContainers`, undefined)
      : raw;
  });
}
