import { change, claim, claimVolume, kube, podSpec, workload } from "../support/objects";
import { UNKNOWN } from "../support/proxy";
import { table } from "../support/table";

const pod = podSpec({ volumes: [claimVolume("data")] });
const web = (strategy?: object, spec = {}) =>
  workload("Deployment", "web", pod, { strategy, ...spec });
const rolling = (rollingUpdate?: object) => web({ type: "RollingUpdate", rollingUpdate });
const share = claim("data", { accessModes: ["ReadWriteMany"] });
const keda = kube("keda.sh/v1alpha1", "ScaledObject", "scaler", {
  spec: { scaleTargetRef: { name: "web" }, minReplicaCount: 0, maxReplicaCount: 1 },
});
const hpa = (minReplicas?: number) =>
  kube("autoscaling/v2", "HorizontalPodAutoscaler", "scaler", {
    spec: { scaleTargetRef: { kind: "Deployment", name: "web" }, minReplicas, maxReplicas: 3 },
  });
const TWO = ["violation web: spec.strategy"];

table("rwo-workload-recreates", [
  { title: "Recreate", given: web({ type: "Recreate" }) },
  { title: "incident 13: nothing stated", given: web(), finds: TWO, says: "maxSurge 25%" },
  { title: "RollingUpdate by default surge", given: rolling(), finds: TWO },
  { title: "maxSurge 1", given: rolling({ maxSurge: 1 }), finds: TWO },
  { title: "maxSurge 1% of one rounds up", given: rolling({ maxSurge: "1%" }), finds: TWO },
  { title: "maxSurge 0", given: rolling({ maxSurge: 0, maxUnavailable: 1 }) },
  { title: "maxSurge 0%", given: rolling({ maxSurge: "0%", maxUnavailable: 1 }) },
  { title: "maxUnavailable alone", given: rolling({ maxUnavailable: 1 }), finds: TWO },
  { title: "no replicas", given: web(undefined, { replicas: 0 }) },
  {
    title: "scaled from nothing by KEDA",
    given: [web(undefined, { replicas: 0 }), keda],
    finds: TWO,
  },
  {
    title: "scaled to nothing by hand, which a HorizontalPodAutoscaler leaves alone",
    given: [web(undefined, { replicas: 0 }), hpa()],
  },
  {
    title: "scaled from nothing by a HorizontalPodAutoscaler that may",
    given: [web(undefined, { replicas: 0 }), hpa(0)],
    finds: TWO,
  },
  {
    title: "and told once",
    given: [keda, web(undefined, { replicas: 0 }), claim("data")],
    finds: TWO,
  },
  {
    title: "scaled from nothing by KEDA, and recreated",
    given: [web({ type: "Recreate" }, { replicas: 0 }), keda],
  },
  {
    title: "scaled from nothing by KEDA, on a ReadWriteMany claim",
    given: [web(undefined, { replicas: 0 }), keda, share],
  },
  {
    title: "scaled from nothing by KEDA, on a shared claim by setting",
    given: [web(undefined, { replicas: 0 }), keda],
    settings: { sharedClaims: ["shop/data"] },
  },
  {
    title: "an autoscaler that is not known yet",
    given: [web(undefined, { replicas: 0 }), change(keda, "spec.scaleTargetRef", UNKNOWN)],
    finds: ["unknown web: ScaledObject"],
    says: "spec.scaleTargetRef",
  },
  {
    title: "an autoscaler that is not known yet, of what runs without it",
    given: [web(), claim("data"), change(keda, "spec.scaleTargetRef", UNKNOWN)],
    finds: TWO,
  },
  { title: "no claim", given: workload("Deployment", "web") },
  {
    title: "an emptyDir",
    given: workload("Deployment", "web", podSpec({ volumes: [{ name: "d", emptyDir: {} }] })),
  },
  { title: "a StatefulSet stops its pod first", given: workload("StatefulSet", "web", pod) },
  { title: "a ReadWriteMany claim of the same program", given: [share, web()] },
  { title: "a ReadWriteMany claim that comes later", given: [web(), share] },
  { title: "its own claim, and told once", given: [claim("data"), web()], finds: TWO },
  { title: "its own claim that comes later", given: [web(), claim("data")], finds: TWO },
  {
    title: "a later claim of one that recreates",
    given: [web({ type: "Recreate" }), claim("data")],
  },
  {
    title: "a later claim beside a volume that is not known yet",
    given: [
      workload(
        "Deployment",
        "web",
        podSpec({ volumes: [{ name: "x", persistentVolumeClaim: UNKNOWN }, claimVolume("data")] }),
      ),
      claim("data"),
    ],
    finds: TWO,
    says: "claim data",
  },
  {
    title: "a later ReadWriteMany claim beside a volume that is not known yet",
    given: [
      workload(
        "Deployment",
        "web",
        podSpec({ volumes: [{ name: "x", persistentVolumeClaim: UNKNOWN }, claimVolume("data")] }),
      ),
      share,
    ],
    finds: ["unknown web: spec.template.spec.volumes[0].persistentVolumeClaim"],
  },
  {
    title: "a ReadWriteMany claim of the same name elsewhere",
    given: [claim("data", { accessModes: ["ReadWriteMany"] }, { namespace: "blog" }), web()],
    finds: TWO,
  },
  {
    title: "a claim of unknown modes",
    given: [claim("data", { accessModes: UNKNOWN }), web()],
    finds: TWO,
  },
  {
    title: "a later claim of unknown modes",
    given: [web(), claim("data", { accessModes: UNKNOWN })],
    finds: TWO,
  },
  { title: "a shared claim by setting", given: web(), settings: { sharedClaims: ["shop/data"] } },
  {
    title: "a volume not known yet keeps the known claim from nothing",
    given: workload(
      "Deployment",
      "web",
      podSpec({ volumes: [{ name: "x", persistentVolumeClaim: UNKNOWN }, claimVolume("data")] }),
    ),
    finds: TWO,
    says: "claim data",
  },
  {
    title: "a shared claim beside one that is not",
    given: workload(
      "Deployment",
      "web",
      podSpec({ volumes: [claimVolume("data"), claimVolume("cache")] }),
    ),
    settings: { sharedClaims: ["shop/data"] },
    finds: TWO,
    says: "claim cache",
  },
  {
    title: "an old API group",
    given: { ...web(), type: "kubernetes:extensions/v1beta1:Deployment" },
    finds: TWO,
  },
  {
    title: "strategy not known yet",
    given: web(UNKNOWN as unknown as object),
    finds: ["unknown web: spec.strategy"],
  },
  {
    title: "maxSurge not known yet",
    given: rolling({ maxSurge: UNKNOWN }),
    finds: ["unknown web: spec.strategy.rollingUpdate.maxSurge"],
  },
  {
    title: "volumes not known yet",
    given: change(web(), "spec.template.spec.volumes", UNKNOWN),
    finds: ["unknown web: spec.template.spec.volumes"],
  },
  {
    title: "volumes not known yet, of one that recreates",
    given: change(web({ type: "Recreate" }), "spec.template.spec.volumes", UNKNOWN),
  },
  {
    title: "a claim not known yet beside one that is",
    given: workload(
      "Deployment",
      "web",
      podSpec({ volumes: [claimVolume(UNKNOWN), claimVolume("data")] }),
    ),
    finds: TWO,
    says: "claim data",
  },
  { title: "a surge that is none", given: rolling({ maxSurge: "many" }), finds: TWO },
  {
    title: "a patch says only what it says",
    given: { ...web(), type: "kubernetes:apps/v1:DeploymentPatch" },
    finds: ["unknown web: spec.strategy.type"],
    says: "not part of the patch",
  },
]);
