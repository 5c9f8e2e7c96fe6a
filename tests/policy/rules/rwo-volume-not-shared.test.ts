import {
  change,
  claim,
  claimVolume,
  COMPONENT,
  kube,
  podSpec,
  resource,
  volume,
  workload,
} from "../support/objects";
import { UNKNOWN } from "../support/proxy";
import { table } from "../support/table";

const mounting = (claimName: string, more = {}) =>
  podSpec({ volumes: [claimVolume(claimName)], ...more });
const web = workload("Deployment", "web", mounting("data"), { strategy: { type: "Recreate" } });
const other = (kind: string, more = {}, spec = {}) =>
  workload(kind, "other", mounting("data", more), spec);
const near = (component: string, topologyKey = "kubernetes.io/hostname") => ({
  affinity: {
    podAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: [
        { topologyKey, labelSelector: { matchLabels: { [COMPONENT]: component } } },
      ],
    },
  },
});
const database = (spec = {}) =>
  workload("StatefulSet", "db", podSpec(), {
    volumeClaimTemplates: [
      { metadata: { name: "data" }, spec: { accessModes: ["ReadWriteOnce"] } },
    ],
    ...spec,
  });
const onVolume = (volumeName: string) => ({
  volumeClaimTemplates: [
    { metadata: { name: "data" }, spec: { accessModes: ["ReadWriteOnce"], volumeName } },
  ],
});
const scaler = (name: string, kind: string, max: number) =>
  kube("autoscaling/v2", "HorizontalPodAutoscaler", `${name}-scaler`, {
    spec: { scaleTargetRef: { kind, name, apiVersion: "apps/v1" }, maxReplicas: max },
  });
const cloud = resource("digitalocean:index/volume:Volume", "disk", { name: "disk" });
const madeBy = (name: string, handle: string, more = {}) =>
  volume(name, { csi: { driver: "dobs", volumeHandle: handle } }, more);
const fromDisk = { propertyDependencies: { spec: [{ urn: cloud.urn }] } };
const twoClaims = (a: object, b: object) => [
  claim("data", a),
  claim("copy", b),
  web,
  workload("Job", "other", mounting("copy")),
];
const SHARED = "violation other: spec.template.spec.volumes[0].persistentVolumeClaim.claimName";
const CRON =
  "violation other: spec.jobTemplate.spec.template.spec.volumes[0].persistentVolumeClaim.claimName";
const ALONE = "violation web: spec.template.spec.volumes[0].persistentVolumeClaim.claimName";

table("rwo-volume-not-shared", [
  { title: "one workload", given: [claim("data"), web] },
  {
    title: "incident 2: a CronJob mounts the web pod's claim",
    given: [claim("data"), web, other("CronJob")],
    finds: [CRON],
    says: "claim shop/data, is mounted by CronJob shop/other and by Deployment shop/web",
  },
  ...["Deployment", "StatefulSet", "ReplicaSet", "Job"].map((kind) => ({
    title: `a ${kind} beside it`,
    given: [claim("data"), workload("StatefulSet", "data", mounting("data")), other(kind)],
    finds: [SHARED],
  })),
  {
    title: "a ReplicationController beside a Deployment",
    given: [web, other("ReplicationController")],
    finds: [SHARED],
  },
  {
    title: "a StatefulSet beside the Pod of the claim's name",
    given: [workload("Pod", "data", mounting("data")), other("StatefulSet")],
    finds: [SHARED],
  },
  {
    title: "a bare Pod beside it",
    given: [web, other("Pod")],
    finds: ["violation other: spec.volumes[0].persistentVolumeClaim.claimName"],
  },
  {
    title: "another volume not known yet keeps the known claim from nothing",
    given: [
      workload(
        "Deployment",
        "web",
        podSpec({ volumes: [{ name: "x", persistentVolumeClaim: UNKNOWN }, claimVolume("data")] }),
      ),
      other("CronJob"),
    ],
    finds: ["unknown web: spec.template.spec.volumes[0].persistentVolumeClaim", CRON],
  },
  { title: "a claim made elsewhere", given: [web, other("Job")], finds: [SHARED] },
  {
    title: "access modes unset",
    given: [claim("data", { accessModes: undefined }), web, other("Job")],
    finds: [SHARED],
  },
  {
    title: "access modes not known yet count as RWO",
    given: [claim("data", { accessModes: UNKNOWN }), web, other("Job")],
    finds: [SHARED],
  },
  {
    title: "ReadWriteMany",
    given: [claim("data", { accessModes: ["ReadWriteMany"] }), web, other("Job")],
  },
  {
    title: "one mode of several allows many",
    given: [claim("data", { accessModes: ["ReadWriteOnce", "ReadOnlyMany"] }), web, other("Job")],
  },
  {
    title: "the volume's modes decide where it is known",
    given: [
      claim("data", { accessModes: ["ReadWriteMany"], volumeName: "pv" }),
      volume("pv", { accessModes: ["ReadWriteOnce"] }),
      web,
      other("Job"),
    ],
    finds: [SHARED],
  },
  {
    title: "readOnly still attaches it",
    given: [
      web,
      workload(
        "Job",
        "other",
        podSpec({
          volumes: [{ name: "d", persistentVolumeClaim: { claimName: "data", readOnly: true } }],
        }),
      ),
    ],
    finds: [SHARED],
  },
  {
    title: "the same claim name in another namespace",
    given: [web, change(other("Job"), "metadata.namespace", "blog")],
  },
  {
    title: "the same claim twice in one pod",
    given: workload(
      "Deployment",
      "web",
      podSpec({ volumes: [claimVolume("a"), claimVolume("a")] }),
    ),
  },
  {
    title: "generic ephemeral volumes",
    given: ["web", "other"].map((name) =>
      workload("Job", name, podSpec({ volumes: [{ name: "d", ephemeral: {} }] })),
    ),
  },
  {
    title: "a workload that is scaled to nothing",
    given: [web, other("Deployment", {}, { replicas: 0 })],
  },
  {
    title: "a patch that mounts the claim may leave out what pins it",
    given: [web, { ...other("DaemonSet"), type: "kubernetes:apps/v1:DaemonSetPatch" }],
    finds: ["unknown other: spec.template.spec.nodeName"],
  },
  {
    title: "a patch that does not tell how many run",
    given: { ...web, type: "kubernetes:apps/v1:DeploymentPatch" },
    finds: ["unknown web: spec.replicas"],
  },
  {
    title: "a workload whose name is not known is the intruder",
    given: [web, change(other("Job"), "metadata.name", UNKNOWN)],
    finds: [SHARED],
  },
  // By claim template.
  { title: "a StatefulSet's own claims", given: database({ replicas: 3 }) },
  {
    title: "a claim that a StatefulSet's template makes",
    given: [database(), workload("Job", "other", mounting("data-db-0"))],
    finds: [SHARED],
  },
  {
    title: "a template's claim belongs to it, whoever has the claim's name",
    given: [database(), workload("Job", "data-db-0", mounting("data-db-0"))],
    finds: [SHARED.replace("other", "data-db-0")],
  },
  {
    title: "a claim whose name goes on after the ordinal",
    given: [database(), workload("Job", "other", mounting("data-db-0-old"))],
  },
  {
    title: "a template's claim of a high ordinal",
    given: [database({ replicas: 11 }), workload("Job", "other", mounting("data-db-10"))],
    finds: [SHARED],
  },
  {
    title: "a template's claim of an ordinal that does not run",
    given: [database(), workload("Job", "other", mounting("data-db-1"))],
  },
  {
    title: "ordinals may start elsewhere",
    given: [database({ ordinals: { start: 5 } }), workload("Job", "other", mounting("data-db-5"))],
    finds: [SHARED],
  },
  {
    title: "ordinals below the start",
    given: [database({ ordinals: { start: 5 } }), workload("Job", "other", mounting("data-db-4"))],
  },
  {
    title: "an autoscaler makes more ordinals",
    given: [
      database(),
      scaler("db", "StatefulSet", 3),
      workload("Job", "other", mounting("data-db-2")),
    ],
    finds: [SHARED],
  },
  {
    title: "a template's claim that is ReadWriteMany",
    given: [
      database({
        volumeClaimTemplates: [
          { metadata: { name: "data" }, spec: { accessModes: ["ReadWriteMany"] } },
        ],
      }),
      workload("Job", "other", mounting("data-db-0")),
    ],
  },
  {
    title: "a claim object of the template's name on another's volume",
    given: [
      database(),
      claim("data-db-0", { volumeName: "pv" }),
      claim("copy", { volumeName: "pv" }),
      workload("Job", "other", mounting("copy")),
    ],
    finds: ["violation copy: spec.volumeName"],
  },
  // Several claims on one volume.
  {
    title: "a template's claim and another, on one PersistentVolume",
    given: [
      database(onVolume("pv")),
      claim("copy", { volumeName: "pv" }),
      workload("Job", "other", mounting("copy")),
    ],
    finds: ["violation copy: spec.volumeName"],
    says: "the same volume as claim shop/data-db-0",
  },
  {
    title: "the templates of two workloads, on one PersistentVolume",
    given: [database(onVolume("pv")), change(database(onVolume("pv")), "metadata.name", "db2")].map(
      (raw, i) => ({ ...raw, urn: `${raw.urn}${i}` }),
    ),
    finds: ["violation db1: spec.volumeClaimTemplates[0]"],
    says: "by StatefulSet shop/db2 and by StatefulSet shop/db",
  },
  {
    title: "a template's claim that another is bound beside, from the volume's side",
    given: [
      database(),
      volume("pv", { claimRef: { namespace: "shop", name: "data-db-0" } }),
      claim("copy", { volumeName: "pv" }),
      workload("Job", "other", mounting("copy")),
    ],
    finds: ["violation copy: spec.volumeName"],
  },
  {
    title: "a claim of no pod's ordinal, bound from the volume's side",
    given: [
      database(),
      volume("pv", { claimRef: { namespace: "shop", name: "data-db-1" } }),
      claim("copy", { volumeName: "pv" }),
      workload("Job", "other", mounting("copy")),
    ],
  },
  {
    title: "templates on two PersistentVolumes",
    given: [
      database(onVolume("a")),
      claim("copy", { volumeName: "b" }),
      workload("Job", "other", mounting("copy")),
    ],
  },
  { title: "a template on a PersistentVolume, for one pod", given: database(onVolume("pv")) },
  {
    title: "a template on a PersistentVolume, for two pods",
    given: database({ ...onVolume("pv"), replicas: 2 }),
    finds: ["violation db: spec.volumeClaimTemplates[0]"],
    says: "name one volume, since it runs up to 2 pods",
  },
  {
    title: "a template on a PersistentVolume that many may mount, for two pods",
    given: [
      database({ ...onVolume("pv"), replicas: 2 }),
      volume("pv", { accessModes: ["ReadWriteMany"] }),
    ],
  },
  {
    title: "a template's volume name that is not known, for one pod",
    given: database(onVolume(UNKNOWN)),
  },
  {
    title: "a template's volume name that is not known, for two pods",
    given: database({ ...onVolume(UNKNOWN), replicas: 2 }),
    finds: ["unknown db: spec.volumeClaimTemplates[0].spec.volumeName"],
  },
  {
    title: "a template's volume name that is not known, beside another claim",
    given: [database(onVolume(UNKNOWN)), web, claim("data", { volumeName: "pv" })],
    finds: ["unknown db: spec.volumeClaimTemplates[0].spec.volumeName"],
  },
  {
    title: "two claims on one PersistentVolume",
    given: twoClaims({ volumeName: "pv" }, { volumeName: "pv" }),
    finds: ["violation copy: spec.volumeName"],
    says: "the same volume as claim shop/data",
  },
  {
    title: "two claims on one PersistentVolume in one pod",
    given: [
      claim("data", { volumeName: "pv" }),
      claim("copy", { volumeName: "pv" }),
      workload("Pod", "web", podSpec({ volumes: [claimVolume("data"), claimVolume("copy")] })),
    ],
  },
  { title: "two claims on two", given: twoClaims({ volumeName: "a" }, { volumeName: "b" }) },
  {
    title: "two claims bound from the volume's side",
    given: [
      ...twoClaims({ volumeName: "pv" }, {}),
      volume("pv", { claimRef: { namespace: "shop", name: "copy" } }),
    ],
    finds: ["violation copy: spec.volumeName"],
  },
  {
    title: "two volumes with one handle",
    given: [
      ...twoClaims({ volumeName: "a" }, { volumeName: "b" }),
      madeBy("a", "vol-1"),
      madeBy("b", "vol-1"),
    ],
    finds: ["violation b: spec.csi.volumeHandle"],
  },
  {
    title: "one handle of two drivers is two volumes",
    given: [
      ...twoClaims({ volumeName: "a" }, { volumeName: "b" }),
      madeBy("a", "vol-1"),
      volume("b", { csi: { driver: "nfs", volumeHandle: "vol-1" } }),
    ],
  },
  {
    title: "two volumes of one DigitalOcean Volume that is still to be made",
    given: [
      ...twoClaims({ volumeName: "a" }, { volumeName: "b" }),
      cloud,
      madeBy("a", UNKNOWN, fromDisk),
      madeBy("b", UNKNOWN, fromDisk),
    ],
    finds: ["violation b: spec.csi.volumeHandle"],
  },
  {
    title: "handles that are not known and come from nowhere",
    given: [
      ...twoClaims({ volumeName: "a" }, { volumeName: "b" }),
      madeBy("a", UNKNOWN),
      madeBy("b", UNKNOWN),
    ],
    finds: ["unknown a: spec.csi.volumeHandle", "unknown b: spec.csi.volumeHandle"],
  },
  {
    title: "a volume name that is not known, but comes from one volume",
    given: [
      claim("data", { volumeName: "pv" }),
      {
        ...claim("copy", { volumeName: UNKNOWN }),
        propertyDependencies: { spec: [{ urn: volume("pv").urn }] },
      },
      volume("pv"),
      web,
      workload("Job", "other", mounting("copy")),
    ],
    finds: ["violation copy: spec.volumeName"],
  },
  {
    title: "a volume name that is not known",
    given: twoClaims({ volumeName: UNKNOWN }, { volumeName: "pv" }),
    finds: ["unknown data: spec.volumeName"],
  },
  {
    title: "a volume name that is not known beside no other claim",
    given: [claim("data", { volumeName: UNKNOWN }), web],
  },
  // A workload with itself.
  {
    title: "two replicas of a Deployment",
    given: change(web, "spec.replicas", 2),
    finds: [ALONE],
    says: "up to 2 pods",
  },
  { title: "replicas as text", given: change(web, "spec.replicas", "2"), finds: [ALONE] },
  { title: "an autoscaler", given: [web, scaler("web", "Deployment", 2)], finds: [ALONE] },
  { title: "an autoscaler to one", given: [web, scaler("web", "Deployment", 1)] },
  { title: "an autoscaler of another", given: [web, scaler("shop", "Deployment", 5)] },
  {
    title: "KEDA's autoscaler",
    given: [
      web,
      kube("keda.sh/v1alpha1", "ScaledObject", "s", { spec: { scaleTargetRef: { name: "web" } } }),
    ],
    finds: [ALONE],
  },
  {
    title: "replicas not known yet",
    given: change(web, "spec.replicas", UNKNOWN),
    finds: ["unknown web: spec.replicas"],
  },
  { title: "a DaemonSet", given: workload("DaemonSet", "web", mounting("data")), finds: [ALONE] },
  {
    title: "a StatefulSet whose pods all name one claim",
    given: workload("StatefulSet", "web", mounting("data"), { replicas: 2 }),
    finds: [ALONE],
  },
  {
    title: "a CronJob that allows concurrency",
    given: other("CronJob", {}, { concurrencyPolicy: "Allow" }),
    finds: [CRON],
  },
  {
    title: "a CronJob that allows concurrency by default",
    given: other("CronJob", {}, { concurrencyPolicy: undefined }),
    finds: [CRON],
  },
  { title: "a CronJob that forbids it", given: other("CronJob") },
  {
    title: "a parallel Job",
    given: other("Job", {}, { parallelism: 3, completions: 6 }),
    finds: [SHARED],
  },
  {
    title: "a parallel Job of one pod",
    given: other("Job", {}, { parallelism: 3, completions: 1 }),
  },
  // Pinned to one node.
  { title: "a required affinity", given: [web, other("CronJob", near("web"))] },
  {
    title: "a required affinity from the other side",
    given: [workload("Deployment", "web", mounting("data", near("other"))), other("Job")],
  },
  {
    title: "an affinity to a zone",
    given: [web, other("Job", near("web", "topology.kubernetes.io/zone"))],
    finds: [SHARED],
  },
  {
    title: "an affinity to another component",
    given: [web, workload("Deployment", "cache"), other("Job", near("cache"))],
    finds: [SHARED],
  },
  {
    title: "an affinity that a third pod may meet",
    given: [
      change(web, "spec.template.metadata.labels.app", "shop"),
      change(workload("Deployment", "cache"), "spec.template.metadata.labels.app", "shop"),
      other("Job", {
        affinity: {
          podAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: [
              {
                topologyKey: "kubernetes.io/hostname",
                labelSelector: { matchLabels: { app: "shop" } },
              },
            ],
          },
        },
      }),
    ],
    finds: [SHARED],
  },
  {
    title: "one nodeName",
    given: [
      workload("Deployment", "web", mounting("data", { nodeName: "n1" })),
      other("Job", { nodeName: "n1" }),
    ],
  },
  {
    title: "an empty nodeName",
    given: [
      workload("Deployment", "web", mounting("data", { nodeName: "" })),
      other("Job", { nodeName: "" }),
    ],
    finds: [SHARED],
  },
  {
    title: "two nodeNames",
    given: [
      workload("Deployment", "web", mounting("data", { nodeName: "n1" })),
      other("Job", { nodeName: "n2" }),
    ],
    finds: [SHARED],
  },
  {
    title: "one hostname by selector and by affinity",
    given: [
      workload(
        "Deployment",
        "web",
        mounting("data", { nodeSelector: { "kubernetes.io/hostname": "n1" } }),
      ),
      other("Job", {
        affinity: {
          nodeAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: {
              nodeSelectorTerms: [
                {
                  matchExpressions: [
                    { key: "kubernetes.io/hostname", operator: "In", values: ["n1"] },
                  ],
                },
              ],
            },
          },
        },
      }),
    ],
  },
  {
    title: "replicas that follow each other",
    given: workload("Deployment", "web", mounting("data", near("web")), { replicas: 3 }),
  },
  {
    title: "ReadWriteOncePod: one node is not enough",
    given: [claim("data", { accessModes: ["ReadWriteOncePod"] }), web, other("Job", near("web"))],
    finds: [SHARED],
  },
  // Not known yet, and odd.
  {
    title: "a claim name that is not known",
    given: [
      web,
      change(
        other("Job"),
        "spec.template.spec.volumes[0].persistentVolumeClaim.claimName",
        UNKNOWN,
      ),
    ],
    finds: ["unknown other: spec.template.spec.volumes[0].persistentVolumeClaim.claimName"],
  },
  {
    title: "volumes that are not known",
    given: [web, change(other("Job"), "spec.template.spec.volumes", UNKNOWN)],
    finds: ["unknown other: spec.template.spec.volumes"],
  },
  {
    title: "a namespace that is not known",
    given: [web, change(other("Job"), "metadata.namespace", UNKNOWN)],
    finds: ["unknown other: metadata.namespace"],
  },
  {
    title: "volumes that are no list",
    given: [web, change(other("Job"), "spec.template.spec.volumes", "data")],
    rawOnly: true,
  },
  {
    title: "an exemption with its reason",
    given: [web, other("Job")],
    settings: { exemptions: [{ namespace: "shop", name: "oth*", reason: "both run on node n1" }] },
    finds: ["exempt other: spec.template.spec.volumes[0].persistentVolumeClaim.claimName"],
    says: "Exempt: both run on node n1",
  },
  {
    title: "an exemption of another object",
    given: [web, other("Job")],
    settings: { exemptions: [{ namespace: "blog", name: "*", reason: "another namespace" }] },
    finds: [SHARED],
  },
]);
