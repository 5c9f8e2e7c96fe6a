import { change, COMPONENT, kube, policy, workload } from "../support/objects";
import { UNKNOWN } from "../support/proxy";
import { table } from "../support/table";

const web = workload("Deployment", "web");
const namespace = change(kube("v1", "Namespace", "shop", {}), "metadata.namespace", undefined);
const deny = policy("deny", { podSelector: {}, policyTypes: ["Ingress", "Egress"] });
const half = (type: string) => policy(type, { podSelector: {}, policyTypes: [type] });
const only = { matchLabels: { [COMPONENT]: "web" } };
const rule = (ingress: object) => [
  web,
  deny,
  policy("allow", { podSelector: only, ingress: [ingress] }),
];
const out = (egress: object) => [
  web,
  deny,
  policy("allow", { podSelector: only, egress: [egress] }),
];
const internet = {
  ipBlock: { cidr: "0.0.0.0/0", except: ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"] },
};
const world = { ipBlock: { cidr: "0.0.0.0/0" } };
const span = (port: number, endPort: number) => ({ port, endPort });
const IN = ["violation allow: spec.ingress[0]"];
const OUT = ["violation allow: spec.egress[0]"];
const MISSING = ["violation web: spec.policyTypes"];

table("network-default-deny", [
  { title: "denied", given: [web, deny] },
  { title: "in two policies", given: [web, half("Ingress"), half("Egress")] },
  { title: "no workloads", given: namespace },
  { title: "no policy", given: web, finds: MISSING },
  {
    title: "no policy, told on the namespace",
    given: [web, namespace],
    finds: ["violation shop: spec.policyTypes"],
  },
  {
    title: "no policy, told on the first workload",
    given: [web, workload("Deployment", "api")],
    finds: ["violation api: spec.policyTypes"],
  },
  {
    title: "no policy, and a namespace whose name is not known yet",
    given: [web, change(namespace, "metadata.name", UNKNOWN)],
    finds: MISSING,
  },
  {
    title: "told on the policy for every pod",
    given: [
      web,
      policy("a", { podSelector: only, policyTypes: ["Ingress"] }),
      policy("dns", {
        podSelector: {},
        policyTypes: ["Egress"],
        egress: [{ ports: [{ port: 53 }] }],
      }),
    ],
    finds: ["violation dns: spec.policyTypes"],
    says: "denies ingress",
  },
  {
    title: "a policy elsewhere",
    given: [web, change(deny, "metadata.namespace", "blog")],
    finds: MISSING,
  },
  {
    title: "ingress alone",
    given: [web, half("Ingress")],
    finds: ["violation Ingress: spec.policyTypes"],
    says: "denies egress",
  },
  {
    title: "egress alone",
    given: [web, half("Egress")],
    finds: ["violation Egress: spec.policyTypes"],
    says: "denies ingress",
  },
  {
    title: "no policyTypes is ingress",
    given: [web, policy("deny", { podSelector: {} })],
    finds: ["violation deny: spec.policyTypes"],
  },
  {
    title: "an empty egress without policyTypes denies nothing",
    given: [web, policy("deny", { podSelector: {}, egress: [] })],
    finds: ["violation deny: spec.policyTypes"],
  },
  {
    title: "egress rules imply the type",
    given: [
      web,
      policy("deny", {
        podSelector: {},
        egress: [{ ports: [{ port: 53 }], to: [{ podSelector: only }] }],
      }),
    ],
  },
  {
    title: "types that are none",
    given: [web, policy("deny", { podSelector: {}, policyTypes: [["Ingress"], "egress"] })],
    finds: ["violation deny: spec.policyTypes"],
    rawOnly: true,
  },
  {
    title: "for one component only",
    given: [web, policy("deny", { podSelector: only, policyTypes: ["Ingress", "Egress"] })],
    finds: ["violation deny: spec.policyTypes"],
  },
  {
    title: "podSelector left out is every pod",
    given: [web, change(deny, "spec.podSelector", undefined)],
  },
  { title: "an exempt namespace", given: change(web, "metadata.namespace", "kube-system") },
  { title: "an exempt namespace by setting", given: web, settings: { exemptNamespaces: ["shop"] } },
  {
    title: "the provider's namespace",
    given: [
      {
        ...change(web, "metadata.namespace", undefined),
        provider: { props: { namespace: "blog" } },
      },
      {
        ...change(deny, "metadata.namespace", undefined),
        provider: { props: { namespace: "blog" } },
      },
    ],
    rawOnly: true,
  },
  // Rules that open it again.
  { title: "any ingress", given: rule({}), finds: IN, says: "any address on any port" },
  { title: "any egress", given: out({}), finds: OUT },
  { title: "empty lists", given: rule({ from: [], ports: [] }), finds: IN },
  { title: "the whole world", given: out({ to: [world] }), finds: OUT },
  {
    title: "the whole IPv6 world",
    given: out({ to: [{ ipBlock: { cidr: "::/0" } }] }),
    finds: OUT,
  },
  {
    title: "both halves of the world",
    given: out({ to: [{ ipBlock: { cidr: "0.0.0.0/1" } }, { ipBlock: { cidr: "128.0.0.0/1" } }] }),
    finds: OUT,
  },
  {
    title: "the whole world by another of its addresses",
    given: out({ to: [{ ipBlock: { cidr: "10.0.0.0/0" } }] }),
    finds: OUT,
  },
  {
    title: "a network from its zeroth address",
    given: out({ to: [{ ipBlock: { cidr: "0.0.0.0/8" } }] }),
  },
  {
    title: "both halves, one of them not whole",
    given: out({
      to: [
        { ipBlock: { cidr: "0.0.0.0/1", except: ["10.0.0.0/8"] } },
        { ipBlock: { cidr: "128.0.0.0/1" } },
      ],
    }),
    finds: OUT,
    says: "nearly any address on any port",
  },
  { title: "half of the world", given: out({ to: [{ ipBlock: { cidr: "128.0.0.0/1" } }] }) },
  { title: "the other half", given: out({ to: [{ ipBlock: { cidr: "0.0.0.0/1" } }] }) },
  {
    title: "the world on one port",
    given: out({ to: [world], ports: [{ protocol: "TCP", port: 443 }] }),
  },
  { title: "anybody on one port", given: rule({ ports: [{ port: 8080 }] }) },
  { title: "anybody on a named port", given: rule({ ports: [{ port: "http" }] }) },
  { title: "anybody on every TCP port", given: rule({ ports: [{ protocol: "TCP" }] }), finds: IN },
  {
    title: "anybody on every port of a range",
    given: rule({ ports: [{ port: 1, endPort: 65535 }] }),
    finds: IN,
  },
  { title: "anybody on a smaller range", given: rule({ ports: [{ port: 2, endPort: 65535 }] }) },
  { title: "anybody on a range that ends", given: rule({ ports: [{ port: 1, endPort: 1024 }] }) },
  {
    title: "anybody on two ranges of all ports",
    given: rule({ ports: [span(30001, 65535), span(1, 30000)] }),
    finds: IN,
  },
  {
    title: "anybody on ranges that overlap",
    given: rule({ ports: [span(1, 40000), { port: 22 }, span(300, 500), span(30000, 65535)] }),
    finds: IN,
  },
  {
    title: "anybody on a port between two ranges",
    given: rule({ ports: [span(1, 79), { port: 80 }, span(81, 65535)] }),
    finds: IN,
  },
  {
    title: "anybody on all ports but one",
    given: rule({ ports: [span(1, 30000), span(30002, 65535)] }),
  },
  {
    title: "anybody on all ports, of two protocols",
    given: rule({ ports: [span(1, 30000), { ...span(30001, 65535), protocol: "UDP" }] }),
  },
  {
    title: "anybody on every UDP port",
    given: rule({
      ports: [
        { ...span(1, 30000), protocol: "UDP" },
        { ...span(30001, 65535), protocol: "UDP" },
      ],
    }),
    finds: IN,
  },
  {
    title: "anybody on a range whose end is not known yet, and the rest",
    given: rule({ ports: [{ port: 1, endPort: UNKNOWN }, span(30001, 65535)] }),
    finds: ["unknown allow: spec.ingress[0].ports[0].endPort"],
  },
  {
    title: "anybody on a range whose end is not known yet",
    given: rule({ ports: [{ port: 80, endPort: UNKNOWN }] }),
  },
  {
    title: "anybody on a port whose protocol is not known yet",
    given: rule({ ports: [{ port: 80, protocol: UNKNOWN }] }),
  },
  {
    title: "the world but for private addresses",
    given: out({ to: [internet] }),
    finds: OUT,
    says: "nearly any address on any port",
  },
  {
    title: "the world but for private addresses, on one port",
    given: out({ to: [internet], ports: [{ protocol: "TCP", port: 443 }] }),
  },
  {
    title: "the IPv6 world but for private addresses",
    given: out({ to: [{ ipBlock: { cidr: "::/0", except: ["fc00::/7", "2001:db8::/32"] } }] }),
    finds: OUT,
    says: "nearly any address on any port",
  },
  {
    title: "the world but for half of it",
    given: out({ to: [{ ipBlock: { cidr: "0.0.0.0/0", except: ["128.0.0.0/1"] } }] }),
  },
  {
    title: "what is left out is not known yet",
    given: out({ to: [{ ipBlock: { cidr: "0.0.0.0/0", except: [UNKNOWN] } }] }),
    finds: ["unknown allow: spec.egress[0].to[0].ipBlock.except[0]"],
  },
  {
    title: "ports not known yet, and a network",
    given: out({ to: [{ ipBlock: { cidr: "10.0.0.0/8" } }], ports: UNKNOWN }),
  },
  { title: "a network on any port", given: rule({ from: [{ ipBlock: { cidr: "10.0.0.0/8" } }] }) },
  {
    title: "every pod of a namespace on any port",
    given: rule({ from: [{ namespaceSelector: {} }] }),
  },
  {
    title: "one peer of two is the world",
    given: rule({ from: [{ podSelector: only }, world] }),
    finds: IN,
  },
  {
    title: "a policy that is meant to be open",
    given: rule({}),
    settings: { openPolicies: ["shop/allow"] },
  },
  {
    title: "egress rules of a policy that is not about egress",
    given: [
      web,
      deny,
      policy("allow", { podSelector: only, policyTypes: ["Ingress"], egress: [{}] }),
    ],
  },
  {
    title: "an exempt namespace's open rule",
    given: [
      change(
        policy("allow", { podSelector: only, ingress: [{}] }),
        "metadata.namespace",
        "kube-system",
      ),
    ],
  },
  {
    title: "an old API group",
    given: [
      web,
      {
        ...deny,
        type: "kubernetes:extensions/v1beta1:NetworkPolicy",
        props: { ...deny.props, apiVersion: "extensions/v1beta1" },
      },
    ],
  },
  // Not known yet.
  {
    title: "policyTypes not known yet",
    given: [web, change(deny, "spec.policyTypes", UNKNOWN)],
    finds: ["unknown deny: spec.policyTypes"],
  },
  {
    title: "a second policy that decides",
    given: [web, deny, change(half("Egress"), "spec.policyTypes", UNKNOWN)],
  },
  {
    title: "for which pods is not known yet, told on the policy for every pod",
    given: [web, change(half("Egress"), "spec.podSelector", UNKNOWN), half("Ingress")],
    finds: ["unknown Ingress: NetworkPolicy"],
  },
  {
    title: "for one component, and its rules are not known yet",
    given: [web, policy("a", { podSelector: only, ingress: UNKNOWN })],
    finds: [...MISSING, "unknown a: spec.ingress"],
  },
  {
    title: "where a policy is, is not known yet",
    given: [web, change(deny, "metadata.namespace", UNKNOWN)],
    finds: ["unknown web: NetworkPolicy"],
  },
  {
    title: "where a workload is, is not known yet",
    given: [change(web, "metadata.namespace", UNKNOWN), deny],
    finds: ["unknown web: metadata.namespace"],
  },
  {
    title: "a peer not known yet",
    given: rule({ from: [UNKNOWN] }),
    finds: ["unknown allow: spec.ingress[0].from[0]"],
  },
  {
    title: "a peer not known yet, on one port",
    given: rule({ from: [UNKNOWN], ports: [{ port: 80 }] }),
  },
  {
    title: "a peer not known yet beside the world",
    given: rule({ from: [UNKNOWN, world] }),
    finds: IN,
  },
]);
