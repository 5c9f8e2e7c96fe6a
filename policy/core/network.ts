/**
 * NetworkPolicies as Kubernetes reads them: which directions a policy is about, whom its rules let
 * in or out, and whether a rule is open to the world.
 */
import { View } from "./data";
import { anyOf } from "./logic";

export type Direction = "ingress" | "egress";

/**
 * Without policyTypes a policy is about ingress, and about egress only when it has egress rules: an
 * empty `egress` alone denies nothing.
 */
export function isAbout(policy: View, direction: Direction): boolean {
  const types = policy.at("spec", "policyTypes");
  if (types.isEmpty()) {
    return direction === "ingress" || !policy.at("spec", "egress").isEmpty();
  }
  return anyOf(types.list().map((type) => () => type.text()?.toLowerCase() === direction));
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

export function peersOf(policy: View, direction: Direction): View[] {
  return rulesOf(policy, direction).flatMap((rule) => peers(rule, direction).list());
}

/** Whether a rule lets any address in or out on any port. */
export function isOpen(rule: View, direction: Direction): boolean {
  return anyPort(rule.at("ports")) && anyAddress(peers(rule, direction));
}

function anyPort(ports: View): boolean {
  return ports.isEmpty() || anyOf(ports.list().map((port) => () => isEveryPort(port)));
}

/** A port entry without a port is every port of its protocol, and so is a range over all of them. */
function isEveryPort(entry: View): boolean {
  const port = entry.at("port");
  return (
    port.isAbsent() || ((port.number() ?? 2) <= 1 && (entry.at("endPort").number() ?? 0) >= 65535)
  );
}

/** No peers at all, or blocks that together leave no address out (0.0.0.0/0, or both its halves). */
function anyAddress(list: View): boolean {
  if (list.isEmpty()) {
    return true;
  }
  const everything = list.list().map((peer) => () => coversAll(peer.at("ipBlock"), /^.*\/0$/));
  const half = (cidr: RegExp) => () =>
    anyOf(list.list().map((peer) => () => coversAll(peer.at("ipBlock"), cidr)));
  return anyOf([...everything, () => half(/^0\.0\.0\.0\/1$/)() && half(/^128\.0\.0\.0\/1$/)()]);
}

function coversAll(block: View, cidr: RegExp): boolean {
  return cidr.test(block.at("cidr").text() ?? "") && block.at("except").isEmpty();
}
