/**
 * Operators that break one thing in a pod template. Each is applied to every workload, and where it
 * is about containers to every slot that it makes sense in.
 */
import { Slot } from "../../../policy/core/workloads";
import { claimVolume, COMPONENT } from "../support/objects";

export interface Operator {
  name: string;
  rule: string;
  /** Where, below the container or the pod template. */
  path: string;
  value: unknown;
  slots?: Slot[];
  /** Only these kinds; every kind that makes pods without it. */
  kinds?: string[];
}

const PINNED = "image-is-pinned";
const RESTRICTED = "pods-are-restricted";
const RESOURCES = "containers-declare-resources";
const PROBES = "probes-state-timeouts";
const SECRETS = "no-plain-secrets";
const COMPONENTS = "selector-carries-component";

const context = (path: string) => `securityContext.${path}`;
const probe = { tcpSocket: { port: 1 } };
const bare = { matchLabels: { "app.kubernetes.io/name": "shop" } };
const near = [{ topologyKey: "kubernetes.io/hostname", labelSelector: bare }];
const RUNNING: Slot[] = ["main", "sidecar"];

export const containerOperators: Operator[] = [
  { name: "image without a tag", rule: PINNED, path: "image", value: "registry:5000/app" },
  { name: "image latest", rule: PINNED, path: "image", value: "app:latest" },
  { name: "image without a name", rule: PINNED, path: "image", value: undefined },
  { name: "image with half a digest", rule: PINNED, path: "image", value: "app@sha256:12" },
  { name: "privileged", rule: RESTRICTED, path: context("privileged"), value: true },
  {
    name: "escalation allowed",
    rule: RESTRICTED,
    path: context("allowPrivilegeEscalation"),
    value: true,
  },
  {
    name: "escalation not forbidden",
    rule: RESTRICTED,
    path: context("allowPrivilegeEscalation"),
    value: undefined,
  },
  { name: "capabilities kept", rule: RESTRICTED, path: context("capabilities"), value: undefined },
  {
    name: "capability added",
    rule: RESTRICTED,
    path: context("capabilities.add"),
    value: ["SYS_ADMIN"],
  },
  { name: "container as root", rule: RESTRICTED, path: context("runAsUser"), value: 0 },
  { name: "container may be root", rule: RESTRICTED, path: context("runAsNonRoot"), value: false },
  {
    name: "container without seccomp",
    rule: RESTRICTED,
    path: context("seccompProfile"),
    value: { type: "Unconfined" },
  },
  { name: "proc unmasked", rule: RESTRICTED, path: context("procMount"), value: "Unmasked" },
  {
    name: "container without AppArmor",
    rule: RESTRICTED,
    path: context("appArmorProfile"),
    value: { type: "Unconfined" },
  },
  {
    name: "SELinux user",
    rule: RESTRICTED,
    path: context("seLinuxOptions"),
    value: { user: "sysadm_u" },
  },
  {
    name: "host port",
    rule: RESTRICTED,
    path: "ports",
    value: [{ name: "mutant", containerPort: 9, hostPort: 9 }],
    slots: RUNNING,
  },
  {
    name: "probe of another host",
    rule: RESTRICTED,
    path: "livenessProbe",
    value: { httpGet: { host: "10.0.0.1", port: 1 }, timeoutSeconds: 5 },
    slots: RUNNING,
  },
  {
    name: "handler of another host",
    rule: RESTRICTED,
    path: "lifecycle",
    value: { preStop: { httpGet: { host: "10.0.0.1", port: 1 } } },
    slots: RUNNING,
  },
  { name: "nothing declared", rule: RESOURCES, path: "resources", value: undefined },
  { name: "no memory limit", rule: RESOURCES, path: "resources.limits.memory", value: undefined },
  { name: "a limit that is none", rule: RESOURCES, path: "resources.limits.memory", value: "lots" },
  { name: "request above limit", rule: RESOURCES, path: "resources.requests.memory", value: "1Ti" },
  {
    name: "liveness without timeout",
    rule: PROBES,
    path: "livenessProbe",
    value: probe,
    slots: RUNNING,
  },
  {
    name: "readiness of one second",
    rule: PROBES,
    path: "readinessProbe",
    value: { ...probe, timeoutSeconds: 1 },
    slots: RUNNING,
  },
  {
    name: "startup without timeout",
    rule: PROBES,
    path: "startupProbe",
    value: probe,
    slots: RUNNING,
  },
  {
    name: "password in env",
    rule: SECRETS,
    path: "env",
    value: [{ name: "DB_PASSWORD", value: "hunter2" }],
  },
  {
    name: "password in a URL",
    rule: SECRETS,
    path: "env",
    value: [{ name: "DB_URL", value: "mysql://a:hunter2@db/x" }],
  },
  { name: "password in args", rule: SECRETS, path: "args", value: ["--password", "hunter2"] },
  {
    name: "token in a command",
    rule: SECRETS,
    path: "command",
    value: ["get", "http://a/?token=b7"],
  },
];

export const podOperators: Operator[] = [
  { name: "host network", rule: RESTRICTED, path: "spec.hostNetwork", value: true },
  { name: "host processes", rule: RESTRICTED, path: "spec.hostPID", value: true },
  { name: "host IPC", rule: RESTRICTED, path: "spec.hostIPC", value: true },
  {
    name: "pod may be root",
    rule: RESTRICTED,
    path: "spec.securityContext.runAsNonRoot",
    value: false,
  },
  {
    name: "pod says nothing of root",
    rule: RESTRICTED,
    path: "spec.securityContext.runAsNonRoot",
    value: undefined,
  },
  { name: "pod as root", rule: RESTRICTED, path: "spec.securityContext.runAsUser", value: 0 },
  {
    name: "pod without seccomp",
    rule: RESTRICTED,
    path: "spec.securityContext.seccompProfile",
    value: undefined,
  },
  {
    name: "unsafe sysctl",
    rule: RESTRICTED,
    path: "spec.securityContext.sysctls",
    value: [{ name: "kernel.msgmax", value: "1" }],
  },
  {
    name: "host process of Windows",
    rule: RESTRICTED,
    path: "spec.securityContext.windowsOptions",
    value: { hostProcess: true },
  },
  {
    name: "host path",
    rule: RESTRICTED,
    path: "spec.volumes[9]",
    value: { name: "host", hostPath: { path: "/" } },
  },
  {
    name: "AppArmor off by annotation",
    rule: RESTRICTED,
    path: 'metadata.annotations["container.apparmor.security.beta.kubernetes.io/main"]',
    value: "unconfined",
  },
  {
    name: "image volume that moves",
    rule: PINNED,
    path: "spec.volumes[9]",
    value: { name: "code", image: { reference: "code" } },
  },
  {
    name: "password in an annotation",
    rule: SECRETS,
    path: 'metadata.annotations["db-password"]',
    value: "hunter2",
  },
  {
    name: "pods without the component",
    rule: COMPONENTS,
    path: `metadata.labels["${COMPONENT}"]`,
    value: undefined,
  },
  {
    name: "spread without the component",
    rule: COMPONENTS,
    path: "spec.topologySpreadConstraints",
    value: [{ maxSkew: 1, topologyKey: "zone", labelSelector: bare }],
  },
  {
    name: "affinity without the component",
    rule: COMPONENTS,
    path: "spec.affinity",
    value: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: near } },
  },
  {
    name: "anti-affinity without the component",
    rule: COMPONENTS,
    path: "spec.affinity",
    value: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: near } },
  },
  {
    name: "token mounted without a Role",
    rule: "token-only-where-bound",
    path: "spec.automountServiceAccountToken",
    value: true,
  },
  {
    name: "another workload's claim",
    rule: "rwo-volume-not-shared",
    path: "spec.volumes[9]",
    value: claimVolume("files"),
  },
  {
    name: "a StatefulSet's own claim",
    rule: "rwo-volume-not-shared",
    path: "spec.volumes[9]",
    value: claimVolume("data-cache-0"),
  },
];
