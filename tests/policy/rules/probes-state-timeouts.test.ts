import { change, container, podSpec, workload } from "../support/objects";
import { UNKNOWN } from "../support/proxy";
import { table } from "../support/table";

const probe = (timeoutSeconds?: unknown) => ({ tcpSocket: { port: 80 }, timeoutSeconds });
const C = "spec.template.spec.containers[0]";
const at = (name: string, timeout?: unknown, kind = "Deployment") =>
  change(workload(kind, "web"), `${C}.${name}`, probe(timeout));
const bad = (name: string) => [`violation web: ${C}.${name}.timeoutSeconds`];
const init = (more: object) =>
  workload("Deployment", "web", podSpec({ initContainers: [{ ...container("x"), ...more }] }));
const ports = [{ containerPort: 80 }];

table("probes-state-timeouts", [
  { title: "no probes", given: workload("Deployment", "web") },
  ...["livenessProbe", "readinessProbe", "startupProbe"].flatMap((name) => [
    { title: `${name} without one`, given: at(name), finds: bad(name), says: "1 s" },
    { title: `${name} of one second`, given: at(name, 1), finds: bad(name) },
    { title: `${name} of two`, given: at(name, 2) },
  ]),
  {
    title: "a longer minimum",
    given: at("livenessProbe", 2),
    settings: { minTimeoutSeconds: 5 },
    finds: bad("livenessProbe"),
  },
  ...["StatefulSet", "DaemonSet", "ReplicaSet"].map((kind) => ({
    title: `a ${kind}`,
    given: at("livenessProbe", undefined, kind),
    finds: bad("livenessProbe"),
  })),
  {
    title: "a Job only gets an advisory",
    given: at("livenessProbe", undefined, "Job"),
    finds: [`advisory web: ${C}.livenessProbe.timeoutSeconds`],
  },
  { title: "an init container that ends", given: init({ livenessProbe: probe() }) },
  {
    title: "a sidecar",
    given: init({ restartPolicy: "Always", startupProbe: probe() }),
    finds: ["violation web: spec.template.spec.initContainers[0].startupProbe.timeoutSeconds"],
  },
  {
    title: "no readiness where it is not demanded",
    given: change(workload("Deployment", "web"), `${C}.ports`, ports),
  },
  {
    title: "no readiness where it is demanded",
    given: change(workload("Deployment", "web"), `${C}.ports`, ports),
    settings: { requireReadiness: true },
    finds: [`violation web: ${C}.readinessProbe`],
  },
  {
    title: "readiness where it is demanded",
    given: change(at("readinessProbe", 3), `${C}.ports`, ports),
    settings: { requireReadiness: true },
  },
  {
    title: "no port, no readiness",
    given: workload("Deployment", "web"),
    settings: { requireReadiness: true },
  },
  {
    title: "an init container is not asked",
    given: init({ ports }),
    settings: { requireReadiness: true },
  },
  {
    title: "a Job is not asked",
    given: change(workload("Job", "web"), `${C}.ports`, ports),
    settings: { requireReadiness: true },
  },
  {
    title: "a probe not known yet",
    given: change(workload("Deployment", "web"), `${C}.livenessProbe`, UNKNOWN),
    finds: [`unknown web: ${C}.livenessProbe`],
  },
  {
    title: "a timeout not known yet",
    given: at("livenessProbe", UNKNOWN),
    finds: [`unknown web: ${C}.livenessProbe.timeoutSeconds`],
  },
  {
    title: "whether it is a sidecar is not known yet",
    given: init({ restartPolicy: UNKNOWN, startupProbe: probe() }),
    finds: ["unknown web: spec.template.spec.initContainers[0].restartPolicy"],
  },
  { title: "nor does it matter without probes", given: init({ restartPolicy: UNKNOWN }) },
]);
