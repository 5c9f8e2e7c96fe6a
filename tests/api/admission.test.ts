/**
 * Issue 7, 1.8: what `pods-are-restricted` says of a pod at preview is what the API server's admission
 * says of it, on pods with one thing changed. A namespace of the deployed stack enforces `restricted`.
 */
import assert from "node:assert/strict";
import { ApiException, CoreV1Api, KubeConfig, type V1Pod } from "@kubernetes/client-node";
import { before, describe, it } from "mocha";
import type { RawResource } from "../../policy/core/objects";
import { containerOperators, type Operator, podOperators } from "../policy/mutants/operators";
import type { Tree } from "../policy/support/edit";
import { change, container, podSpec, workload } from "../policy/support/objects";
import { find } from "../policy/support/table";
import { sharedSite } from "./harness";

const RULE = "pods-are-restricted";
const SLOTS = ["spec.containers[0]", "spec.initContainers[0]", "spec.initContainers[1]"];
const sidecar = { ...container("side"), restartPolicy: "Always" };
const pod = workload(
  "Pod",
  "web",
  podSpec({ initContainers: [container("init"), sidecar], volumes: [] }),
);

/** Path and value of one change, on the pod or on each container. */
type Changed = [path: string, value: unknown];

const ofPod: Changed[] = [
  ["securityContext.runAsUser", 33],
  ["securityContext.runAsUser", 0],
  ["securityContext.runAsNonRoot", undefined],
  ["securityContext.seccompProfile", undefined],
  ["securityContext.seccompProfile", { type: "Localhost", localhostProfile: "a.json" }],
  ["securityContext.seLinuxOptions", { type: "container_t" }],
  ["securityContext.seLinuxOptions", { type: "container_engine_t" }],
  ["securityContext.seLinuxOptions", { type: "spc_t" }],
  ["securityContext.seLinuxOptions", { role: "sysadm_r" }],
  ["securityContext.seLinuxOptions", { level: "s0" }],
  ["securityContext.appArmorProfile", { type: "RuntimeDefault" }],
  ["securityContext.fsGroup", 0],
  ["securityContext.supplementalGroups", [0]],
  ...[
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_rmem",
    "kernel.msgmax",
    "net.core.somaxconn",
  ].map((name): Changed => ["securityContext.sysctls", [{ name, value: "1" }]]),
  ...Object.entries({
    configMap: { name: "a" },
    downwardAPI: { items: [] },
    emptyDir: {},
    hostPath: { path: "/" },
    image: { reference: "a:1" },
    iscsi: { targetPortal: "10.0.0.1", iqn: "iqn.2026-01.com.example:a", lun: 0 },
    nfs: { server: "10.0.0.1", path: "/" },
    persistentVolumeClaim: { claimName: "a" },
    projected: { sources: [] },
    secret: { secretName: "a" },
  }).map(([type, source]): Changed => ["volumes", [{ name: "v", [type]: source }]]),
];

const ofContainer: Changed[] = [
  ["securityContext", undefined],
  ["securityContext.capabilities.drop", []],
  ["securityContext.capabilities.drop", ["NET_RAW"]],
  ["securityContext.capabilities.drop", ["all"]],
  ["securityContext.capabilities.drop", ["NET_RAW", "ALL"]],
  ["securityContext.capabilities.add", ["NET_BIND_SERVICE"]],
  ["securityContext.capabilities.add", ["CHOWN"]],
  ["securityContext.procMount", "Default"],
  ["securityContext.runAsUser", 33],
  ["securityContext.runAsNonRoot", true],
  ["securityContext.readOnlyRootFilesystem", false],
  ["ports", [{ containerPort: 80, hostPort: 0 }]],
];

const cases: [title: string, pod: RawResource][] = [["as it is", pod]];
const add = (where: string, [path, value]: Changed) => {
  const at = `${where}.${path}`;
  cases.push([`${at} ${JSON.stringify(value)}`, change(pod, at, value)]);
};
const changed = ({ path, value }: Operator): Changed => [path, value];
const ours = ({ rule, kinds }: Operator) => rule === RULE && (kinds?.includes("Pod") ?? true);
ofPod.forEach((one) => add("spec", one));
// A pod's own operators begin at the template, which a Pod is; volumes are above.
const placed = ({ path }: Operator) => !path.startsWith("spec.volumes");
podOperators
  .filter(ours)
  .filter(placed)
  .forEach(({ path, value }) => {
    cases.push([`${path} ${JSON.stringify(value)}`, change(pod, path, value)]);
  });
for (const slot of SLOTS) {
  ofContainer.forEach((one) => add(slot, one));
  containerOperators
    .filter(ours)
    .filter(({ slots }) => slots === undefined || slot !== "spec.initContainers[0]")
    .forEach((operator) => add(slot, changed(operator)));
}

describe("pods-are-restricted against the API server's admission", () => {
  let core: CoreV1Api;

  before(async () => {
    const { cluster } = await sharedSite("local");
    const config = new KubeConfig();
    config.loadFromFile(cluster.kubeconfig);
    core = config.makeApiClient(CoreV1Api);
  });

  /** What admission says, or undefined when the pod may be made. */
  async function refusal({ props }: RawResource): Promise<string | undefined> {
    const { metadata, ...rest } = structuredClone(props) as Tree;
    const body = { ...rest, metadata: { ...metadata, namespace: "matomo" } } as V1Pod;
    try {
      await core.createNamespacedPod({ namespace: "matomo", body, dryRun: "All" });
      return undefined;
    } catch (error) {
      const { message } = JSON.parse((error as ApiException<string>).body) as { message: string };
      return message;
    }
  }

  it(`agree on ${cases.length} pods`, async () => {
    const verdicts = { refused: 0, allowed: 0 };
    const disagreements: string[] = [];
    const invalid = new Set<string>();
    for (const [title, raw] of cases) {
      const told = await refusal(raw);
      const found = find(RULE, [raw]).map(({ message }) => message);
      verdicts[told === undefined ? "allowed" : "refused"]++;
      if (told !== undefined && !told.includes("violates PodSecurity")) {
        invalid.add(title.split(/[. ]/).slice(-2)[0]);
      }
      if (found.length > 0 !== (told !== undefined)) {
        disagreements.push(
          `${title}: admission ${told ?? "allows"}, rule ${found.join() || "silent"}`,
        );
      }
    }
    assert.deepEqual(disagreements, []);
    // What the API server refuses before admission is asked: each needs a second field to be valid.
    assert.deepEqual([...invalid].sort(), ["privileged", "procMount", "windowsOptions"]);
    assert.ok(verdicts.refused > 40 && verdicts.allowed > 20, JSON.stringify(verdicts));
  });
});
