/**
 * NetworkPolicies as Kubernetes reads them: which directions a policy is about, whom its rules let
 * in or out, and whether a rule is open to the world.
 */
import { Range, Reach, rangeOf, reachOf, without } from "./addresses";
import { NotKnown, View } from "./data";
import { anyOf, attempt, everyOf, orElse } from "./logic";

export type Direction = "ingress" | "egress";

const TYPES = { ingress: "Ingress", egress: "Egress" };

/**
 * Without policyTypes a policy is about ingress, and about egress only when it has egress rules: an
 * empty `egress` alone denies nothing.
 */
export function isAbout(policy: View, direction: Direction): boolean {
  const types = policy.at("spec", "policyTypes");
  if (types.isEmpty()) {
    return direction === "ingress" || !policy.at("spec", "egress").isEmpty();
  }
  return anyOf(types.list().map((type) => () => type.text() === TYPES[direction]));
}

/** A policy without a rule in either direction only denies. */
export function denies(policy: View): boolean {
  return policy.at("spec", "ingress").isEmpty() && policy.at("spec", "egress").isEmpty();
}

export function rulesOf(policy: View, direction: Direction): View[] {
  return policy.at("spec", direction).list();
}

export function peers(rule: View, direction: Direction): View {
  return rule.at(direction === "ingress" ? "from" : "to");
}

/** Every peer; where a rule's list of them is not known, the list itself stands for what is in it. */
export function peersOf(policy: View, direction: Direction): View[] {
  return rulesOf(policy, direction).flatMap((rule) => {
    const list = peers(rule, direction);
    return orElse(() => list.list(), [list]);
  });
}

/** Whether a peer is in the given namespaces only, by the name label that Kubernetes itself sets. */
export function inNamespaces(peer: View, namespaces: string[]): boolean {
  const label = "kubernetes.io/metadata.name";
  const selector = peer.at("namespaceSelector");
  const isOne = (name: View) => namespaces.some((namespace) => namespace === name.text());
  const among = (expression: View) =>
    expression.at("key").text() === label &&
    expression.at("operator").text() === "In" &&
    !expression.at("values").isEmpty() &&
    expression.at("values").list().every(isOne);
  return anyOf([
    () => isOne(selector.at("matchLabels", label)),
    () => selector.at("matchExpressions").list().some(among),
  ]);
}

/**
 * What a rule is open to on any port: every address, or most of them. A block that leaves out the
 * private ranges is the whole Internet still.
 */
export function openTo(rule: View, direction: Direction): string | undefined {
  const list = peers(rule, direction);
  const isOpen = everyOf([() => anyPort(rule.at("ports")), () => reachOfPeers(list) !== undefined]);
  return isOpen ? `${reachOfPeers(list)} address` : undefined;
}

const PROTOCOLS = ["TCP", "UDP", "SCTP"];
const LAST = 65535;

/** Every port of a protocol, by one entry or by several: where one ends, another goes on. */
function anyPort(ports: View): boolean {
  if (ports.isEmpty()) {
    return true;
  }
  const entries = ports.list();
  const edges = entries.map((entry) => orElse(() => lastOf(entry) + 1, 1));
  const firsts = [1, ...edges.filter((port) => port <= LAST)];
  const isWhole = (protocol: string) =>
    everyOf(
      firsts.map((port) => () => anyOf(entries.map((entry) => () => holds(entry, protocol, port)))),
    );
  return anyOf(PROTOCOLS.map((protocol) => () => isWhole(protocol)));
}

/** A port entry without a port is every port of its protocol; a named one counts as none. */
function holds(entry: View, protocol: string, port: number): boolean {
  const first = entry.at("port");
  return everyOf([
    () => (entry.at("protocol").text() ?? "TCP") === protocol,
    () => first.isAbsent() || ((first.number() ?? LAST + 1) <= port && port <= lastOf(entry)),
  ]);
}

function lastOf(entry: View): number {
  return entry.at("endPort").number() ?? entry.at("port").number() ?? LAST;
}

/** No peers at all are any address. */
function reachOfPeers(list: View): Reach | undefined {
  if (list.isEmpty()) {
    return "any";
  }
  const parts = list.list().map((peer) => attempt(() => rangesOf(peer)));
  const reach = reachOf(parts.flatMap((part) => (part instanceof NotKnown ? [] : part)));
  const unknown = parts.find((part) => part instanceof NotKnown);
  if (!reach && unknown) {
    throw unknown;
  }
  return reach;
}

/** The addresses of a peer that is a block of them. */
function rangesOf(peer: View): Range[] {
  const block = peer.at("ipBlock");
  const range = rangeOf(block.at("cidr").text());
  const holes = block
    .at("except")
    .list()
    .flatMap((hole) => rangeOf(hole.text()) ?? []);
  return range ? without(range, holes) : [];
}
