import { change, container, podSpec, workload } from "../support/objects";
import { UNKNOWN } from "../support/proxy";
import { table } from "../support/table";

const web = workload("Deployment", "web");
const R = "spec.template.spec.containers[0].resources";
const at = (path: string, value: unknown) => change(web, `${R}.${path}`, value);
const bad = (...paths: string[]) => paths.map((path) => `violation web: ${R}.${path}`);
const bare = { ...container("x"), resources: undefined };
const inits = (...initContainers: object[]) => podSpec({ initContainers });
const ALL = ["requests.cpu", "requests.memory", "limits.memory"];

table("containers-declare-resources", [
  { title: "declared", given: web },
  { title: "nothing", given: change(web, R, undefined), finds: bad(...ALL) },
  { title: "empty", given: change(web, R, {}), finds: bad(...ALL) },
  { title: "no limit for memory", given: at("limits", undefined), finds: bad("limits.memory") },
  { title: "no request for CPU", given: at("requests.cpu", undefined), finds: bad("requests.cpu") },
  { title: "a limit counts as the request", given: at("requests.memory", undefined) },
  { title: "limits alone", given: change(web, R, { limits: { cpu: 1, memory: "1Gi" } }) },
  { title: "CPU as a number", given: at("requests.cpu", 0.5) },
  {
    title: "no CPU limit when it is demanded",
    given: web,
    settings: { requireCpuLimit: true },
    finds: bad("limits.cpu"),
  },
  { title: "no quantity", given: at("limits.memory", "lots"), finds: bad("limits.memory") },
  { title: "an empty quantity", given: at("limits.memory", ""), finds: bad("limits.memory") },
  {
    title: "a request above the limit",
    given: at("requests.memory", "129Mi"),
    finds: bad("requests.memory"),
  },
  { title: "a request of the limit, in other units", given: at("requests.memory", "131072Ki") },
  { title: "CPU above the limit", given: at("limits.cpu", "49m"), finds: bad("requests.cpu") },
  {
    title: "resources of the whole pod",
    given: change(change(web, R, undefined), "spec.template.spec.resources", {
      limits: { cpu: "1", memory: "1Gi" },
    }),
  },
  {
    title: "an init container",
    given: workload("Deployment", "web", inits(bare)),
    finds: ALL.map(
      (path) => `violation web: spec.template.spec.initContainers[0].resources.${path}`,
    ),
  },
  {
    title: "an ephemeral container may not state any",
    given: workload("Deployment", "web", podSpec({ ephemeralContainers: [bare] })),
  },
  {
    title: "a CronJob only gets an advisory",
    given: workload("CronJob", "web", podSpec({ containers: [bare] })),
    finds: ALL.map(
      (path) => `advisory web: spec.jobTemplate.spec.template.spec.containers[0].resources.${path}`,
    ),
  },
  {
    title: "a Job only gets an advisory",
    given: change(workload("Job", "web"), `${R}.limits`, undefined),
    finds: [`advisory web: ${R}.limits.memory`],
  },
  { title: "not known yet", given: change(web, R, UNKNOWN), finds: [`unknown web: ${R}`] },
  {
    title: "a CPU limit that is not known yet",
    given: at("limits.cpu", UNKNOWN),
    finds: [`unknown web: ${R}.limits.cpu`],
  },
]);
