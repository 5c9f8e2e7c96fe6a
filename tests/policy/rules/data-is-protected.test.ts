import { change, claim, resource, volume, workload } from "../support/objects";
import { UNKNOWN } from "../support/proxy";
import { table } from "../support/table";

const kept = { opts: { protect: true } };
const password = resource("random:index/randomPassword:RandomPassword", "pw", { length: 32 });
const disk = resource("digitalocean:index/volume:Volume", "disk", { size: 10 });
const space = resource("digitalocean:index/spacesBucket:SpacesBucket", "space", {});
const server = resource("digitalocean:index/databaseCluster:DatabaseCluster", "db", {});
const retention = (policy: unknown) =>
  change(workload("StatefulSet", "db"), "spec.persistentVolumeClaimRetentionPolicy", policy);

table("data-is-protected", [
  { title: "a protected claim", given: { ...claim("data"), ...kept } },
  {
    title: "incident 12: a password that may go",
    given: password,
    finds: ["violation pw: protect"],
  },
  { title: "a protected password", given: { ...password, ...kept } },
  { title: "a claim that may go", given: claim("data"), finds: ["violation data: protect"] },
  { title: "a DigitalOcean Volume that may go", given: disk, finds: ["violation disk: protect"] },
  { title: "a bucket that may go", given: space, finds: ["violation space: protect"] },
  { title: "a protected bucket", given: { ...space, ...kept } },
  { title: "a managed database that may go", given: server, finds: ["violation db: protect"] },
  {
    title: "a claim that is retained, by setting",
    given: claim("data"),
    settings: { retained: ["data"] },
  },
  {
    title: "another that is retained",
    given: claim("data"),
    settings: { retained: ["dat"] },
    finds: ["violation data: protect"],
  },
  {
    title: "a volume that is retained",
    given: volume("pv", { persistentVolumeReclaimPolicy: "Retain" }),
  },
  { title: "a static volume is retained by default", given: volume("pv") },
  {
    title: "a volume that goes",
    given: volume("pv", { persistentVolumeReclaimPolicy: "Delete" }),
    finds: ["violation pv: protect"],
  },
  {
    title: "a protected volume that goes when it is let go",
    given: { ...volume("pv", { persistentVolumeReclaimPolicy: "Delete" }), ...kept },
  },
  {
    title: "a volume's policy not known yet",
    given: volume("pv", { persistentVolumeReclaimPolicy: UNKNOWN }),
    finds: ["unknown pv: spec.persistentVolumeReclaimPolicy"],
  },
  { title: "other types", given: resource("random:index/randomId:RandomId", "id", {}) },
  {
    title: "other types by setting",
    given: resource("random:index/randomId:RandomId", "id", {}),
    settings: { types: ["random:index/randomId:RandomId"] },
    finds: ["violation id: protect"],
  },
  { title: "a StatefulSet keeps its claims", given: retention(undefined) },
  {
    title: "a StatefulSet that says so",
    given: retention({ whenDeleted: "Retain", whenScaled: "Retain" }),
  },
  ...["whenDeleted", "whenScaled"].map((when) => ({
    title: `${when} Delete`,
    given: retention({ [when]: "Delete" }),
    finds: [`violation db: spec.persistentVolumeClaimRetentionPolicy.${when}`],
  })),
  {
    title: "a patch of a claim protects nothing",
    given: { ...claim("data"), type: "kubernetes:core/v1:PersistentVolumeClaimPatch" },
  },
]);
