/**
 * Zero trust that is true (design decision 6): nothing may connect, then one rule per real flow.
 *
 * Objects: NetworkPolicy `matomo-default-deny`, and one for each component; for Cilium's Gateway a
 * CiliumNetworkPolicy for each of the two components that it leads to. Every selector inside
 * the namespace carries the component (incident 18: labels that matched no pod); other namespaces
 * are selected by the name label that Kubernetes sets itself.
 */
import { isIPv4 } from "node:net";
import { CustomResource } from "@pulumi/kubernetes/apiextensions";
import { NetworkPolicy } from "@pulumi/kubernetes/networking/v1";
import type { types } from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { DATABASE_PORT } from "./database";
import {
  APP,
  type Component,
  NAMES,
  NAMESPACE_NAME_LABEL,
  objectMeta,
  selectorLabels,
} from "./labels";
import { PRIVATE_RANGES } from "./ranges";
import { INTERNAL_PORT, SITE_PORT, STATE_PORT } from "./web";

type Rule = types.input.networking.v1.NetworkPolicyIngressRule &
  types.input.networking.v1.NetworkPolicyEgressRule;
type Peer = types.input.networking.v1.NetworkPolicyPeer;

/** Port of the pod with which cert-manager answers Let's Encrypt. */
const SOLVER_PORT = 8089;

export interface NetworkArgs {
  /** Namespace of the ingress or gateway controller's pods. */
  controllerNamespace: string;
  /**
   * Whether Cilium's own Gateway is the way in. Its traffic comes from the node's proxy, under an
   * identity that no NetworkPolicy can name.
   */
  ciliumGateway: boolean;
  /** Web may reach any public address on 443, to fetch the GeoIP database. */
  geoip: boolean;
  /** Web may reach any public address on 465 and 587, to send mail. */
  smtp: boolean;
  /** Web may reach any public address on these, to fetch plugins. */
  pluginPorts: number[];
  /** The backup may reach this server: at its address, or, named by its host, at any public one. */
  offsite?: { host: string; port: number };
}

/** What one component accepts and what it may reach. */
export interface Flows {
  component: Component;
  name: string;
  ingress: { from: Peer; port: number }[];
  egress: { to: Peer; ports: number[] }[];
  /** Whether it resolves names. */
  dns: boolean;
}

const pods = (component: Component): Peer => ({
  podSelector: { matchLabels: selectorLabels(component) },
});
const namespace = (name: string): Peer => ({
  namespaceSelector: { matchLabels: { [NAMESPACE_NAME_LABEL]: name } },
});
const internet: Peer = { ipBlock: { cidr: "0.0.0.0/0", except: PRIVATE_RANGES } };

/** Where a server listens: a rule goes by addresses, and a host name may have any public one. */
function server(host: string): Peer {
  return isIPv4(host) ? { ipBlock: { cidr: `${host}/32` } } : internet;
}

/** Every flow of the site. What is not in this table is refused. */
export function flows(args: NetworkArgs): Flows[] {
  // Cilium's Gateway has no pods of its own: its rule is another kind of object.
  const controllers = args.ciliumGateway ? [] : [namespace(args.controllerNamespace)];
  const database = { to: pods("mariadb"), ports: [DATABASE_PORT] };
  const { geoip, smtp, pluginPorts, offsite } = args;
  const wanted = [...(geoip ? [443] : []), ...(smtp ? [465, 587] : []), ...pluginPorts];
  const publicPorts = [...new Set(wanted)];
  return [
    {
      component: "web",
      name: NAMES.web,
      ingress: [
        ...controllers.map((from) => ({ from, port: SITE_PORT })),
        { from: pods("archive"), port: INTERNAL_PORT },
        { from: pods("backup"), port: STATE_PORT },
      ],
      egress: [database, ...(publicPorts.length ? [{ to: internet, ports: publicPorts }] : [])],
      dns: true,
    },
    {
      component: "mariadb",
      name: NAMES.database,
      ingress: [
        { from: pods("web"), port: DATABASE_PORT },
        { from: pods("backup"), port: DATABASE_PORT },
      ],
      egress: [],
      dns: false,
    },
    {
      component: "archive",
      name: NAMES.archive,
      ingress: [],
      egress: [{ to: pods("web"), ports: [INTERNAL_PORT] }],
      dns: true,
    },
    {
      component: "backup",
      name: NAMES.backup,
      ingress: [],
      egress: [
        database,
        { to: pods("web"), ports: [STATE_PORT] },
        ...(offsite ? [{ to: server(offsite.host), ports: [offsite.port] }] : []),
      ],
      dns: true,
    },
    {
      component: "acme-solver",
      name: `${APP}-acme-solver`,
      ingress: controllers.map((from) => ({ from, port: SOLVER_PORT })),
      egress: [],
      dns: false,
    },
  ];
}

const tcp = (port: number) => ({ protocol: "TCP", port });
const dnsRule: Rule = {
  to: [namespace("kube-system")],
  ports: [{ protocol: "UDP", port: 53 }, tcp(53)],
};

export class Network extends pulumi.ComponentResource {
  constructor(name: string, args: NetworkArgs, opts: pulumi.ComponentResourceOptions) {
    super("matomo:index:Network", name, {}, opts);
    const policyTypes = ["Ingress", "Egress"];
    new NetworkPolicy(
      "default-deny",
      {
        metadata: objectMeta(`${APP}-default-deny`),
        spec: { podSelector: {}, policyTypes },
      },
      { parent: this },
    );
    for (const flow of flows(args)) {
      new NetworkPolicy(
        flow.component,
        {
          metadata: objectMeta(flow.name, flow.component),
          spec: {
            podSelector: { matchLabels: selectorLabels(flow.component) },
            policyTypes,
            ingress: flow.ingress.map(({ from, port }) => ({ from: [from], ports: [tcp(port)] })),
            egress: [
              ...flow.egress.map(({ to, ports }) => ({ to: [to], ports: ports.map(tcp) })),
              ...(flow.dns ? [dnsRule] : []),
            ],
          },
        },
        { parent: this },
      );
    }
    if (args.ciliumGateway) {
      this.ciliumGateway("web", SITE_PORT);
      this.ciliumGateway("acme-solver", SOLVER_PORT);
    }
    this.registerOutputs({});
  }

  /** Lets Cilium's Gateway reach the pods of one component at one port. */
  private ciliumGateway(component: Component, port: number): void {
    new CustomResource(
      `gateway-${component}`,
      {
        apiVersion: "cilium.io/v2",
        kind: "CiliumNetworkPolicy",
        metadata: objectMeta(`${APP}-gateway-${component}`, component),
        spec: {
          endpointSelector: { matchLabels: selectorLabels(component) },
          ingress: [
            {
              fromEntities: ["ingress"],
              toPorts: [{ ports: [{ port: String(port), protocol: "TCP" }] }],
            },
          ],
        },
      },
      { parent: this },
    );
  }
}
