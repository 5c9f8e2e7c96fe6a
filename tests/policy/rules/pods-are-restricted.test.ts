import { change, container, podSpec, workload } from "../support/objects";
import { UNKNOWN } from "../support/proxy";
import { table } from "../support/table";

const POD = "spec.template.spec";
const web = workload("Deployment", "web");
const sidecar = { ...container("side"), restartPolicy: "Always" };
const slots = workload(
  "Deployment",
  "web",
  podSpec({
    initContainers: [container("init"), sidecar],
    ephemeralContainers: [container("debug")],
  }),
);
const SLOTS = ["initContainers[0]", "initContainers[1]", "containers[0]", "ephemeralContainers[0]"];

const refused = (path: string, value: unknown, at = path) => ({
  title: `${path} ${JSON.stringify(value)}`,
  given: change(web, `${POD}.${path}`, value),
  finds: [`violation web: ${POD}.${at}`],
});
const allowed = (path: string, value: unknown) => ({
  title: `${path} ${JSON.stringify(value)}`,
  given: change(web, `${POD}.${path}`, value),
});
const version = (kubernetesVersion: string) => ({ settings: { kubernetesVersion } });
const CONTEXT = "containers[0].securityContext";
const tcp = (key: string, value: unknown) =>
  ["securityContext.sysctls", [{ name: key, value }], "securityContext.sysctls[0].name"] as const;

table("pods-are-restricted", [
  { title: "restricted", given: slots },
  {
    title: "an exempt namespace",
    given: change(change(web, "metadata.namespace", "kube-system"), `${POD}.hostPID`, true),
  },
  // Every container of every slot must state these.
  ...SLOTS.flatMap((slot) =>
    [
      ["allowPrivilegeEscalation", true],
      ["allowPrivilegeEscalation", undefined],
      ["privileged", true],
      ["runAsNonRoot", false],
      ["runAsUser", 0],
      ["procMount", "Unmasked"],
    ].map(([field, value]) => ({
      title: `${slot}: ${field} ${value}`,
      given: change(slots, `${POD}.${slot}.securityContext.${field}`, value),
      finds: [`violation web: ${POD}.${slot}.securityContext.${field}`],
    })),
  ),
  ...SLOTS.map((slot) => ({
    title: `${slot}: no securityContext`,
    given: change(slots, `${POD}.${slot}.securityContext`, undefined),
    finds: ["allowPrivilegeEscalation", "capabilities.drop"].map(
      (field) => `violation web: ${POD}.${slot}.securityContext.${field}`,
    ),
  })),
  refused(`${CONTEXT}.capabilities.drop`, []),
  refused(`${CONTEXT}.capabilities.drop`, ["NET_RAW"]),
  refused(`${CONTEXT}.capabilities.drop`, ["all"]),
  refused(`${CONTEXT}.capabilities.drop`, undefined),
  allowed(`${CONTEXT}.capabilities.drop`, ["NET_RAW", "ALL"]),
  allowed(`${CONTEXT}.capabilities.add`, ["NET_BIND_SERVICE"]),
  refused(`${CONTEXT}.capabilities.add`, ["CHOWN"], `${CONTEXT}.capabilities.add[0]`),
  allowed(`${CONTEXT}.procMount`, "Default"),
  allowed(`${CONTEXT}.runAsUser`, 33),
  // Either the pod or the container states these; a bad one on the pod counts even if overridden.
  refused("securityContext.runAsNonRoot", undefined, `${CONTEXT}.runAsNonRoot`),
  {
    title: "runAsNonRoot on the container alone",
    given: change(
      change(web, `${POD}.securityContext.runAsNonRoot`, undefined),
      `${POD}.${CONTEXT}.runAsNonRoot`,
      true,
    ),
  },
  {
    title: "runAsNonRoot false on the pod, overridden",
    given: change(
      change(web, `${POD}.securityContext.runAsNonRoot`, false),
      `${POD}.${CONTEXT}.runAsNonRoot`,
      true,
    ),
    finds: [`violation web: ${POD}.securityContext.runAsNonRoot`],
  },
  refused("securityContext.seccompProfile", undefined, `${CONTEXT}.seccompProfile`),
  {
    title: "seccompProfile on the container alone",
    given: change(
      change(web, `${POD}.securityContext.seccompProfile`, undefined),
      `${POD}.${CONTEXT}.seccompProfile`,
      { type: "Localhost", localhostProfile: "a.json" },
    ),
  },
  refused("securityContext.seccompProfile.type", "Unconfined"),
  refused(`${CONTEXT}.seccompProfile`, { type: "Unconfined" }, `${CONTEXT}.seccompProfile.type`),
  refused(`${CONTEXT}.seccompProfile`, {}, `${CONTEXT}.seccompProfile.type`),
  refused("securityContext.runAsUser", 0),
  allowed("securityContext.runAsUser", 999),
  // The host.
  ...["hostNetwork", "hostPID", "hostIPC"].flatMap((field) => [
    refused(field, true),
    allowed(field, false),
  ]),
  refused(
    "containers[0].ports",
    [{ containerPort: 80, hostPort: 80 }],
    "containers[0].ports[0].hostPort",
  ),
  allowed("containers[0].ports", [{ containerPort: 80, hostPort: 0 }]),
  allowed("containers[0].ports", [{ containerPort: 80 }]),
  // Volumes.
  ...[
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "image",
    "persistentVolumeClaim",
    "projected",
    "secret",
  ].map((type) => allowed("volumes", [{ name: "v", [type]: {} }])),
  ...["hostPath", "nfs", "iscsi", "flexVolume", "gitRepo"].map((type) =>
    refused("volumes", [{ name: "v", [type]: {} }], "volumes[0]"),
  ),
  // The API server makes it an emptyDir.
  allowed("volumes", [{ name: "v" }]),
  allowed("volumes", [{ name: "v", hostPath: null }]),
  refused("volumes", [{ name: "v", hostPath: UNKNOWN }], "volumes[0]"),
  // AppArmor, SELinux, sysctls, Windows.
  refused(
    "securityContext.appArmorProfile",
    { type: "Unconfined" },
    "securityContext.appArmorProfile.type",
  ),
  allowed("securityContext.appArmorProfile", { type: "RuntimeDefault" }),
  refused(`${CONTEXT}.appArmorProfile`, { type: "Unconfined" }, `${CONTEXT}.appArmorProfile.type`),
  allowed(`${CONTEXT}.appArmorProfile`, { type: "Localhost" }),
  ...[
    ["unconfined", false],
    ["runtime/default", true],
    ["localhost/x", true],
    ["", true],
  ].map(([profile, good]) => ({
    title: `AppArmor annotation ${profile}`,
    given: change(web, "spec.template.metadata.annotations", {
      other: "unconfined",
      "container.apparmor.security.beta.kubernetes.io/main": profile,
    }),
    finds: good
      ? []
      : [
          'violation web: spec.template.metadata.annotations["container.apparmor.security.beta.kubernetes.io/main"]',
        ],
  })),
  refused(
    "securityContext.seLinuxOptions",
    { type: "spc_t" },
    "securityContext.seLinuxOptions.type",
  ),
  refused("securityContext.seLinuxOptions", { user: "u" }, "securityContext.seLinuxOptions.user"),
  refused(`${CONTEXT}.seLinuxOptions`, { role: "r" }, `${CONTEXT}.seLinuxOptions.role`),
  ...["container_t", "container_init_t", "container_kvm_t", "container_engine_t", ""].map((type) =>
    allowed("securityContext.seLinuxOptions", { type, user: "", role: "" }),
  ),
  {
    ...refused(
      "securityContext.seLinuxOptions",
      { type: "container_engine_t" },
      "securityContext.seLinuxOptions.type",
    ),
    ...version("1.30"),
  },
  {
    ...allowed("securityContext.seLinuxOptions", { type: "container_engine_t" }),
    ...version("1.31"),
  },
  refused(
    "securityContext.sysctls",
    [{ name: "kernel.msgmax" }],
    "securityContext.sysctls[0].name",
  ),
  allowed("securityContext.sysctls", [
    { name: "kernel.shm_rmid_forced" },
    { name: "net.ipv4.ip_local_port_range" },
    { name: "net.ipv4.ip_unprivileged_port_start" },
    { name: "net.ipv4.tcp_syncookies" },
    { name: "net.ipv4.ping_group_range" },
    { name: "net.ipv4.ip_local_reserved_ports" },
    { name: "net.ipv4.tcp_keepalive_time" },
    { name: "net.ipv4.tcp_fin_timeout" },
    { name: "net.ipv4.tcp_keepalive_intvl" },
    { name: "net.ipv4.tcp_keepalive_probes" },
    { name: "net.ipv4.tcp_rmem" },
    { name: "net.ipv4.tcp_wmem" },
  ]),
  { ...refused(...tcp("net.ipv4.ip_local_reserved_ports", 1)), ...version("1.26") },
  { ...refused(...tcp("net.ipv4.tcp_fin_timeout", 1)), ...version("1.28") },
  { ...refused(...tcp("net.ipv4.tcp_rmem", 1)), ...version("1.31") },
  ...[
    ["1.27", "net.ipv4.ip_local_reserved_ports"],
    ["1.29", "net.ipv4.tcp_fin_timeout"],
    ["1.32", "net.ipv4.tcp_rmem"],
  ].map(([since, name]) => ({
    ...allowed("securityContext.sysctls", [{ name }]),
    ...version(since),
  })),
  refused(
    "securityContext.windowsOptions",
    { hostProcess: true },
    "securityContext.windowsOptions.hostProcess",
  ),
  refused(
    `${CONTEXT}.windowsOptions`,
    { hostProcess: true },
    `${CONTEXT}.windowsOptions.hostProcess`,
  ),
  {
    title: "Windows pods state less",
    given: change(
      change(change(web, `${POD}.os`, { name: "windows" }), `${POD}.${CONTEXT}`, {
        capabilities: { add: ["CHOWN"] },
      }),
      `${POD}.securityContext`,
      { runAsNonRoot: true, seccompProfile: { type: "Unconfined" } },
    ),
  },
  {
    title: "Linux pods that say so state all",
    given: change(
      change(web, `${POD}.os`, { name: "linux" }),
      `${POD}.securityContext.seccompProfile`,
      undefined,
    ),
    finds: [`violation web: ${POD}.${CONTEXT}.seccompProfile`],
  },
  // Hosts of probes and handlers, since 1.34.
  ...["livenessProbe", "readinessProbe", "startupProbe"].flatMap((probe) => [
    refused(
      `containers[0].${probe}`,
      { httpGet: { host: "10.0.0.1" } },
      `containers[0].${probe}.httpGet.host`,
    ),
    refused(
      `containers[0].${probe}`,
      { tcpSocket: { host: "db" } },
      `containers[0].${probe}.tcpSocket.host`,
    ),
    allowed(`containers[0].${probe}`, { httpGet: { host: "", port: 80 } }),
  ]),
  refused(
    "containers[0].lifecycle.postStart",
    { httpGet: { host: "x" } },
    "containers[0].lifecycle.postStart.httpGet.host",
  ),
  refused(
    "containers[0].lifecycle.preStop",
    { tcpSocket: { host: "x" } },
    "containers[0].lifecycle.preStop.tcpSocket.host",
  ),
  {
    ...allowed("containers[0].livenessProbe", { httpGet: { host: "10.0.0.1" } }),
    ...version("1.33"),
  },
  // User namespaces, since 1.35.
  ...[
    ["1.35", true],
    ["1.34", false],
  ].map(([kubernetesVersion, good]) => ({
    title: `a user namespace of its own in ${kubernetesVersion}`,
    given: change(change(web, `${POD}.hostUsers`, false), `${POD}.securityContext`, {
      runAsUser: 0,
      runAsNonRoot: false,
      seccompProfile: { type: "RuntimeDefault" },
    }),
    settings: { kubernetesVersion },
    finds: good
      ? []
      : ["runAsUser", "runAsNonRoot"].map((f) => `violation web: ${POD}.securityContext.${f}`),
  })),
  {
    title: "the node's user namespace excuses nothing",
    given: change(change(web, `${POD}.hostUsers`, true), `${POD}.securityContext.runAsUser`, 0),
    ...version("1.35"),
    finds: [`violation web: ${POD}.securityContext.runAsUser`],
  },
  {
    title: "a user namespace does not excuse procMount",
    given: change(
      change(web, `${POD}.hostUsers`, false),
      `${POD}.${CONTEXT}.procMount`,
      "Unmasked",
    ),
    ...version("1.35"),
    finds: [`violation web: ${POD}.${CONTEXT}.procMount`],
  },
  {
    title: "neither stated, in a user namespace of its own",
    given: change(
      change(web, `${POD}.hostUsers`, false),
      `${POD}.securityContext.runAsNonRoot`,
      undefined,
    ),
    ...version("1.35"),
  },
  // Not known yet.
  {
    title: "a container's context not known yet",
    given: change(web, `${POD}.${CONTEXT}`, UNKNOWN),
    finds: [`unknown web: ${POD}.${CONTEXT}`],
  },
  {
    title: "the pod's context not known yet",
    given: change(web, `${POD}.securityContext`, UNKNOWN),
    finds: [`unknown web: ${POD}.securityContext`],
  },
  {
    title: "runAsNonRoot of the pod not known yet, stated by the container",
    given: change(
      change(web, `${POD}.securityContext.runAsNonRoot`, UNKNOWN),
      `${POD}.${CONTEXT}.runAsNonRoot`,
      true,
    ),
    finds: [`unknown web: ${POD}.securityContext.runAsNonRoot`],
  },
  {
    title: "one volume type known, another not",
    given: change(web, `${POD}.volumes`, [{ name: "v", configMap: UNKNOWN, emptyDir: {} }]),
  },
]);
