/**
 * Pod Security `restricted`, the checks of its baseline part included, as the API server's admission
 * makes them for a Kubernetes version. Each check is a question about one pod template.
 */
import { View } from "./data";
import { anyOf, orElse } from "./logic";
import { Container, Workload } from "./workloads";

/** What a check found. */
export interface Breach {
  at: View;
  found: string;
  fix: string;
}

/** A question about a pod template as a whole. */
export type Check = (pod: PodFacts) => Breach | undefined;

/** A pod template with what decides which checks apply. */
export interface PodFacts {
  workload: Workload;
  spec: View;
  minor: number;
}

export interface ContainerFacts extends PodFacts {
  container: Container;
  context: View;
}

/** Windows pods have no seccomp, capabilities or privilege escalation to restrict. */
const isWindows = ({ spec }: PodFacts) => spec.at("os", "name").text() === "windows";

/** A pod in a user namespace of its own is not root on the node (since 1.35). */
const hasOwnUsers = ({ spec, minor }: PodFacts) =>
  minor >= 35 && spec.at("hostUsers").bool() === false;

const forbid = (at: View, found: string, fix: string): Breach => ({ at, found, fix });

function mustNotBeTrue(at: View): Breach | undefined {
  return at.bool() === true ? forbid(at, "true", "Remove it.") : undefined;
}

export const hostNamespaces = ["hostNetwork", "hostPID", "hostIPC"].map(
  (field): Check =>
    ({ spec }) =>
      mustNotBeTrue(spec.at(field)),
);

const SAFE_VOLUMES = [
  "configMap",
  "csi",
  "downwardAPI",
  "emptyDir",
  "ephemeral",
  "image",
  "persistentVolumeClaim",
  "projected",
  "secret",
];

/** Without any type the API server makes it an emptyDir. */
export function volumeType(volume: View): Breach | undefined {
  if (anyOf(SAFE_VOLUMES.map((type) => () => !volume.at(type).isAbsent()))) {
    return undefined;
  }
  const isType = ([key, source]: [string, View]) =>
    key !== "name" && orElse(() => !source.isAbsent(), true);
  const type = volume.entries().find(isType)?.[0];
  return type === undefined
    ? undefined
    : forbid(volume, `volume type ${type}`, `Use one of ${SAFE_VOLUMES.join(", ")}.`);
}

/** Sysctls that stay inside the pod, by the minor version that began to allow them. */
const SAFE_SYSCTLS: [number, string[]][] = [
  [
    0,
    [
      "kernel.shm_rmid_forced",
      "net.ipv4.ip_local_port_range",
      "net.ipv4.tcp_syncookies",
      "net.ipv4.ping_group_range",
      "net.ipv4.ip_unprivileged_port_start",
    ],
  ],
  [27, ["net.ipv4.ip_local_reserved_ports"]],
  [
    29,
    ["time", "intvl", "probes"]
      .map((name) => `net.ipv4.tcp_keepalive_${name}`)
      .concat("net.ipv4.tcp_fin_timeout"),
  ],
  [32, ["net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"]],
];

export function sysctl(entry: View, minor: number): Breach | undefined {
  const name = entry.at("name").text() ?? "";
  const safe = SAFE_SYSCTLS.some(([since, names]) => minor >= since && names.includes(name));
  return safe ? undefined : forbid(entry.at("name"), `sysctl ${name}`, "Remove it.");
}

export function appArmorAnnotation(key: string, value: View): Breach | undefined {
  if (!key.startsWith("container.apparmor.security.beta.kubernetes.io/")) {
    return undefined;
  }
  const profile = value.text() ?? "";
  return profile === "" || profile === "runtime/default" || profile.startsWith("localhost/")
    ? undefined
    : forbid(value, `AppArmor profile ${profile}`, "Use runtime/default or localhost/….");
}

/** Checks on a securityContext, of the pod or of a container. */
export const contextChecks: ((context: View, pod: PodFacts) => Breach | undefined)[] = [
  (context) => mustNotBeTrue(context.at("windowsOptions", "hostProcess")),
  (context) => {
    const profile = context.at("appArmorProfile");
    return profile.isAbsent()
      ? undefined
      : oneOf(profile.at("type"), ["RuntimeDefault", "Localhost"], "AppArmor profile");
  },
  (context, { minor }) => {
    const engine = minor >= 31 ? ["container_engine_t"] : [];
    const types = ["", "container_t", "container_init_t", "container_kvm_t", ...engine];
    const at = context.at("seLinuxOptions", "type");
    return at.isAbsent() ? undefined : oneOf(at, types, "SELinux type");
  },
  (context) => mustBeEmpty(context.at("seLinuxOptions", "user")),
  (context) => mustBeEmpty(context.at("seLinuxOptions", "role")),
  (context, pod) =>
    context.at("runAsUser").number() === 0 && !hasOwnUsers(pod)
      ? forbid(context.at("runAsUser"), "0 is root", "Use another user.")
      : undefined,
  // A bad value counts even on a pod whose containers all override it.
  (context, pod) =>
    context.at("runAsNonRoot").bool() === false && !hasOwnUsers(pod)
      ? forbid(context.at("runAsNonRoot"), "false", "Set it to true.")
      : undefined,
  (context, pod) => {
    const profile = context.at("seccompProfile");
    return profile.isAbsent() || isWindows(pod)
      ? undefined
      : oneOf(profile.at("type"), ["RuntimeDefault", "Localhost"], "seccomp profile");
  },
];

function oneOf(at: View, allowed: string[], what: string): Breach | undefined {
  const value = at.text() ?? "";
  const shown = allowed.filter((a) => a !== "").join(", ");
  return allowed.includes(value)
    ? undefined
    : forbid(at, `${what} ${value || "without a type"}`, `Use one of ${shown}.`);
}

function mustBeEmpty(at: View): Breach | undefined {
  return (at.text() ?? "") === "" ? undefined : forbid(at, "it is set", "Remove it.");
}

const HANDLERS = [
  ["livenessProbe"],
  ["readinessProbe"],
  ["startupProbe"],
  ["lifecycle", "postStart"],
  ["lifecycle", "preStop"],
].flatMap((path) => [
  [...path, "httpGet", "host"],
  [...path, "tcpSocket", "host"],
]);

/** Checks on a container of any slot. */
export const containerChecks: ((facts: ContainerFacts) => Breach | undefined)[] = [
  ({ context }) => mustNotBeTrue(context.at("privileged")),
  (facts) =>
    facts.context.at("allowPrivilegeEscalation").bool() === false || isWindows(facts)
      ? undefined
      : forbid(facts.context.at("allowPrivilegeEscalation"), "not false", "Set it to false."),
  (facts) => {
    const drop = facts.context.at("capabilities", "drop");
    return has(drop, "ALL") || isWindows(facts)
      ? undefined
      : forbid(drop, "it does not drop ALL", 'Set it to ["ALL"].');
  },
  ({ context }) => {
    const procMount = context.at("procMount");
    return procMount.isAbsent() || procMount.text() === "Default"
      ? undefined
      : forbid(procMount, procMount.text() ?? "", "Remove it, or set it to Default.");
  },
  (facts) =>
    !facts.context.at("runAsNonRoot").isAbsent() ||
    !facts.spec.at("securityContext", "runAsNonRoot").isAbsent() ||
    hasOwnUsers(facts)
      ? undefined
      : forbid(
          facts.context.at("runAsNonRoot"),
          "set neither here nor on the pod",
          "Set it to true on the pod.",
        ),
  (facts) =>
    !facts.context.at("seccompProfile").isAbsent() ||
    !facts.spec.at("securityContext", "seccompProfile").isAbsent() ||
    isWindows(facts)
      ? undefined
      : forbid(
          facts.context.at("seccompProfile"),
          "set neither here nor on the pod",
          "Set type RuntimeDefault on the pod.",
        ),
  ...HANDLERS.map((path) => ({ container, minor }: ContainerFacts) => {
    const host = container.view.at(...path);
    return minor >= 34 && (host.text() ?? "") !== ""
      ? forbid(host, host.text() ?? "", "Remove it: the pod itself is probed.")
      : undefined;
  }),
];

function has(list: View, text: string): boolean {
  return anyOf(list.list().map((item) => () => item.text() === text));
}

/** Added capabilities, one question each. */
export function addedCapability(capability: View, facts: PodFacts): Breach | undefined {
  const name = capability.text() ?? "";
  return name === "NET_BIND_SERVICE" || isWindows(facts)
    ? undefined
    : forbid(capability, `it adds ${name}`, "Remove it; only NET_BIND_SERVICE may be added.");
}

export function hostPort(port: View): Breach | undefined {
  const at = port.at("hostPort");
  return (at.number() ?? 0) === 0 ? undefined : forbid(at, `${at.number()}`, "Remove it.");
}
