/** Applications as other teams write them. */
import type { RawResource } from "../../../policy/core/objects";
import { Tree } from "../support/edit";
import {
  budget,
  change,
  claim,
  claimVolume,
  COMPONENT,
  container,
  kube,
  podSpec,
  policy,
  resource,
  service,
  volume,
  workload,
} from "../support/objects";

export interface Compliant {
  resources: RawResource[];
  /** What is named as not analysed. */
  names?: string[];
}

const kept = { opts: { protect: true } };
export const deny = policy("deny", { podSelector: {}, policyTypes: ["Ingress", "Egress"] });
const rwx = { accessModes: ["ReadWriteMany"] };
const mounting = (name: string, more: Tree = {}) =>
  podSpec({ volumes: [claimVolume(name)], ...more });
const only = (name: string) => ({ matchLabels: { [COMPONENT]: name } });
const fromSecret = (name: string, key: string) => ({
  name,
  valueFrom: { secretKeyRef: { name: "db", key } },
});

const wordpress: RawResource[] = [
  deny,
  kube("v1", "Secret", "db", { stringData: { password: "hunter2", url: "mysql://a:hunter2@db" } }),
  { ...claim("uploads"), ...kept },
  { ...claim("mysql"), ...kept },
  workload(
    "Deployment",
    "blog",
    podSpec({
      containers: [
        {
          ...container("wordpress"),
          image: "wordpress:6.7.1-php8.3-apache",
          env: [
            { name: "WORDPRESS_DB_HOST", value: "mysql:3306" },
            { name: "WORDPRESS_DB_USER", value: "wordpress" },
            fromSecret("WORDPRESS_DB_PASSWORD", "password"),
          ],
          readinessProbe: { httpGet: { path: "/wp-login.php", port: 80 }, timeoutSeconds: 5 },
        },
      ],
      volumes: [claimVolume("uploads")],
    }),
    { strategy: { type: "Recreate" } },
  ),
  workload("StatefulSet", "mysql", mounting("mysql")),
  service("blog"),
  service("mysql", { clusterIP: "None", selector: { [COMPONENT]: "mysql" } }),
  budget("blog"),
  policy("mysql", {
    podSelector: only("mysql"),
    policyTypes: ["Ingress"],
    ingress: [{ from: [{ podSelector: only("blog") }], ports: [{ port: 3306 }] }],
  }),
];

const rollingShare: RawResource[] = [
  deny,
  { ...claim("share", rwx), ...kept },
  workload("Deployment", "web", mounting("share"), { replicas: 3 }),
  workload("Job", "index", mounting("share"), { parallelism: 4 }),
  workload("DaemonSet", "cache", mounting("share")),
];

const scaled: RawResource[] = [
  deny,
  workload("Deployment", "api"),
  service("api"),
  kube("autoscaling/v2", "HorizontalPodAutoscaler", "api", {
    spec: { scaleTargetRef: { kind: "Deployment", name: "api" }, minReplicas: 3, maxReplicas: 9 },
  }),
  budget("api", { maxUnavailable: undefined, minAvailable: "60%" }),
];

const chart: RawResource[] = [
  resource("kubernetes:helm.sh/v4:Chart", "vaultwarden", {}),
  ...[deny, workload("Deployment", "vault"), service("vault")].map((raw) =>
    change(raw, 'metadata.annotations["meta.helm.sh/release-name"]', "vaultwarden"),
  ),
];

const staticVolume: RawResource[] = [
  deny,
  { ...resource("digitalocean:index/volume:Volume", "disk", { name: "disk", size: 10 }), ...kept },
  volume("disk", {
    accessModes: ["ReadWriteOnce"],
    csi: { driver: "dobs.csi.digitalocean.com", volumeHandle: "0b7e" },
    claimRef: { namespace: "shop", name: "disk" },
  }),
  { ...claim("disk", { volumeName: "disk", storageClassName: "" }), ...kept },
  workload("Deployment", "web", mounting("disk"), {
    strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } },
  }),
];

const near = {
  affinity: {
    podAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: [
        { topologyKey: "kubernetes.io/hostname", labelSelector: only("web") },
      ],
    },
  },
};
const besides: RawResource[] = [
  deny,
  { ...claim("data"), ...kept },
  workload("Deployment", "web", mounting("data"), { strategy: { type: "Recreate" } }),
  workload("CronJob", "report", mounting("data", near)),
  workload("Job", "migrate"),
];

export const PROGRAMS: Record<string, Compliant> = {
  "a WordPress with MySQL": { resources: wordpress },
  "a share that many mount, rolled": { resources: rollingShare },
  "an API with an autoscaler and a budget in percent": { resources: scaled },
  "a Helm chart's children": { resources: chart },
  "a static volume with maxSurge 0": { resources: staticVolume },
  "a job beside the pod whose volume it reads": { resources: besides },
  "a Helm Release is named": {
    resources: [
      resource("kubernetes:helm.sh/v3:Release", "anything-llm", { chart: "anythingllm" }),
    ],
    names: ["violation anything-llm: spec"],
  },
  "an agent on every node": {
    resources: [
      deny,
      workload("DaemonSet", "agent"),
      service("agent", { internalTrafficPolicy: "Local" }),
    ],
  },
  "a cluster of StatefulSet pods, each with its claim": {
    resources: [
      deny,
      workload("StatefulSet", "queue", podSpec(), {
        replicas: 3,
        volumeClaimTemplates: [
          { metadata: { name: "data" }, spec: { accessModes: ["ReadWriteOnce"] } },
        ],
      }),
      service("queue", { clusterIP: "None" }),
      ...[0, 1, 2].map((n) =>
        change(service(`queue-${n}`), "spec.selector", {
          "statefulset.kubernetes.io/pod-name": `queue-${n}`,
        }),
      ),
      budget("queue", { maxUnavailable: 1 }),
    ],
  },
  "Services without selectors": {
    resources: [
      deny,
      workload("Deployment", "web"),
      service("mail", { selector: undefined, ports: [{ port: 25 }] }),
      kube("discovery.k8s.io/v1", "EndpointSlice", "mail", { addressType: "IPv4", endpoints: [] }),
      service("outside", {
        selector: undefined,
        type: "ExternalName",
        externalName: "a.example.com",
      }),
    ],
  },
};
