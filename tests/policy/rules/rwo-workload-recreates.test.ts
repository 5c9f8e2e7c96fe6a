import { change, claim, claimVolume, podSpec, workload } from "../support/objects";
import { UNKNOWN } from "../support/proxy";
import { table } from "../support/table";

const pod = podSpec({ volumes: [claimVolume("data")] });
const web = (strategy?: object, spec = {}) =>
  workload("Deployment", "web", pod, { strategy, ...spec });
const rolling = (rollingUpdate?: object) => web({ type: "RollingUpdate", rollingUpdate });
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
  { title: "no claim", given: workload("Deployment", "web") },
  {
    title: "an emptyDir",
    given: workload("Deployment", "web", podSpec({ volumes: [{ name: "d", emptyDir: {} }] })),
  },
  { title: "a StatefulSet stops its pod first", given: workload("StatefulSet", "web", pod) },
  {
    title: "a ReadWriteMany claim of the same program",
    given: [claim("data", { accessModes: ["ReadWriteMany"] }), web()],
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
  { title: "a shared claim by setting", given: web(), settings: { sharedClaims: ["shop/data"] } },
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
  { title: "a surge that is none", given: rolling({ maxSurge: "many" }), finds: TWO },
  {
    title: "a patch says only what it says",
    given: { ...web(), type: "kubernetes:apps/v1:DeploymentPatch" },
    finds: ["unknown web: spec.strategy.type"],
    says: "not part of the patch",
  },
]);
