/**
 * Who may connect to whom, computed from the policies alone: the matrix that a reviewer
 * reads in a snapshot, and the rules of the test bench's enforcer.
 */
import { BlockList } from "node:net";
import type { Rendered } from "./render";

/** One end of a connection. Pods have a namespace and labels, others an address alone. */
export interface Endpoint {
  name: string;
  namespace?: string;
  labels?: Record<string, string>;
  address?: string;
  /** What Cilium calls it, where no NetworkPolicy can name it. */
  entity?: string;
}

interface Selector {
  matchLabels?: Record<string, string>;
}
interface Peer {
  podSelector?: Selector;
  namespaceSelector?: Selector;
  ipBlock?: { cidr: string; except?: string[] };
  entity?: string;
}
interface Port {
  port?: number;
  protocol?: string;
}
interface Rule {
  from?: Peer[];
  to?: Peer[];
  ports?: Port[];
}
/** The part of a NetworkPolicy that decides. */
export interface Policy {
  metadata: { namespace: string };
  spec: { podSelector: Selector; policyTypes: string[]; ingress?: Rule[]; egress?: Rule[] };
}

function selects(selector: Selector, labels: Record<string, string> = {}): boolean {
  return Object.entries(selector.matchLabels ?? {}).every(([key, value]) => labels[key] === value);
}

function inBlock({ cidr, except = [] }: { cidr: string; except?: string[] }, address: string) {
  const contains = (range: string) => {
    const [network, prefix] = range.split("/");
    const list = new BlockList();
    list.addSubnet(network, Number(prefix));
    return list.check(address);
  };
  return contains(cidr) && !except.some(contains);
}

function matches(peer: Peer, end: Endpoint, own: string): boolean {
  if (peer.entity) return end.entity === peer.entity;
  if (peer.ipBlock) return end.address !== undefined && inBlock(peer.ipBlock, end.address);
  if (end.namespace === undefined) return false;
  const namespaceLabels = { "kubernetes.io/metadata.name": end.namespace };
  const inNamespace = peer.namespaceSelector
    ? selects(peer.namespaceSelector, namespaceLabels)
    : end.namespace === own;
  return inNamespace && (!peer.podSelector || selects(peer.podSelector, end.labels));
}

function permits(rule: Rule, peers: Peer[] | undefined, end: Endpoint, port: Port, own: string) {
  const onPort =
    !rule.ports?.length ||
    rule.ports.some(
      (allowed) =>
        (allowed.protocol ?? "TCP") === (port.protocol ?? "TCP") &&
        (allowed.port === undefined || allowed.port === port.port),
    );
  return onPort && (!peers?.length || peers.some((peer) => matches(peer, end, own)));
}

function directionOpen(
  policies: Policy[],
  direction: "Ingress" | "Egress",
  subject: Endpoint,
  other: Endpoint,
  port: Port,
): boolean {
  const isolating = policies.filter(
    ({ metadata, spec }) =>
      spec.policyTypes.includes(direction) &&
      metadata.namespace === subject.namespace &&
      selects(spec.podSelector, subject.labels),
  );
  if (isolating.length === 0) return true;
  return isolating.some(({ metadata, spec }) =>
    direction === "Ingress"
      ? spec.ingress?.some((rule) => permits(rule, rule.from, other, port, metadata.namespace))
      : spec.egress?.some((rule) => permits(rule, rule.to, other, port, metadata.namespace)),
  );
}

/** Whether the policies let `from` connect to `to` at this port. */
export function mayConnect(policies: Policy[], from: Endpoint, to: Endpoint, port: Port): boolean {
  return (
    directionOpen(policies, "Egress", from, to, port) &&
    directionOpen(policies, "Ingress", to, from, port)
  );
}

/** The part of a CiliumNetworkPolicy that this program writes. */
interface CiliumPolicy {
  metadata: { namespace: string };
  spec: {
    endpointSelector: Selector;
    ingress: {
      fromEntities: string[];
      toPorts: { ports: { port: string; protocol: string }[] }[];
    }[];
  };
}

/** Cilium adds the rules of both kinds up, so this one is read as the other. */
function fromCilium({ metadata, spec }: CiliumPolicy): Policy {
  const ingress = spec.ingress.map(({ fromEntities, toPorts }) => ({
    from: fromEntities.map((entity) => ({ entity })),
    ports: toPorts.flatMap(({ ports }) =>
      ports.map(({ port, protocol }) => ({ port: Number(port), protocol })),
    ),
  }));
  const policyTypes = ["Ingress"];
  return { metadata, spec: { podSelector: spec.endpointSelector, policyTypes, ingress } };
}

const sitePod = (component: string): Endpoint => ({
  name: component,
  namespace: "matomo",
  labels: {
    "app.kubernetes.io/name": "matomo",
    "app.kubernetes.io/instance": "matomo",
    "app.kubernetes.io/component": component,
  },
  address: "10.244.0.10",
});
const elsewhere = (name: string, namespace: string): Endpoint => ({
  name,
  namespace,
  labels: { app: name },
  address: "10.244.0.20",
});

/** The ends of every flow that somebody may try. */
export function endpoints(controllerNamespace: string): Endpoint[] {
  return [
    ...["web", "mariadb", "archive", "backup", "acme-solver"].map(sitePod),
    { ...sitePod("web"), name: "pod without a component", labels: { app: "stray" } },
    elsewhere("ingress controller", controllerNamespace),
    { name: "Cilium's Gateway", entity: "ingress" },
    elsewhere("cluster DNS", "kube-system"),
    elsewhere("another application", "default"),
    { name: "internet", address: "203.0.113.9" },
    { name: "metadata service", address: "169.254.169.254" },
  ];
}

const PORTS: Port[] = [
  ...[80, 443, 465, 587, 3306, 8080, 8081, 8082, 8089].map((port) => ({ port })),
  { port: 53, protocol: "UDP" },
  { port: 53, protocol: "TCP" },
];

/** Lines `from -> to: ports` for all that is open to or from the site's pods. */
export function reachability(resources: Rendered[], controllerNamespace: string): string[] {
  const policies = resources.flatMap(({ type, props }) => {
    if (type.endsWith(":NetworkPolicy")) return props as Policy;
    return type.endsWith(":CiliumNetworkPolicy") ? fromCilium(props as CiliumPolicy) : [];
  });
  const ends = endpoints(controllerNamespace);
  const lines: string[] = [];
  for (const from of ends) {
    for (const to of ends) {
      if (from === to || (from.namespace !== "matomo" && to.namespace !== "matomo")) continue;
      const open = PORTS.filter((port) => mayConnect(policies, from, to, port));
      const shown = open.map(({ port, protocol }) => (protocol ? `${port}/${protocol}` : port));
      if (open.length) lines.push(`${from.name} -> ${to.name}: ${shown.join(" ")}`);
    }
  }
  return lines;
}
