/**
 * Stand-in for the digitalocean provider's getKubernetesCluster: every DOKS cluster that it knows
 * by name is the embedded cluster, so that the real stack files run unmodified in tests.
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { Properties } from "./wire";

const DEFAULT_CLUSTERS = "liberty,yonks,personal";
export const REGION = "nyc1";

interface Kubeconfig {
  "current-context": string;
  contexts: { name: string; context: { cluster: string; user: string } }[];
  clusters: {
    name: string;
    cluster: { server: string; "certificate-authority-data"?: string };
  }[];
  users: {
    name: string;
    user: { token?: string; "client-certificate-data"?: string; "client-key-data"?: string };
  }[];
}

export async function getKubernetesCluster(args: Properties): Promise<Properties> {
  const name = String(args.name);
  const known = doksNames();
  if (!known.includes(name)) {
    throw new Error(`Unable to find cluster with name: ${name} (there are: ${known.join(", ")})`);
  }
  const rawConfig = await readKubeconfig();
  const { parse } = await import("yaml");
  const { cluster, user } = currentContext(parse(rawConfig) as Kubeconfig);
  const id = stableUuid(name);
  return {
    id,
    name,
    urn: `do:kubernetes:${id}`,
    region: REGION,
    version: "1.34.4-do.0",
    status: "running",
    endpoint: cluster.server,
    ipv4Address: "127.0.0.1",
    autoUpgrade: false,
    surgeUpgrade: true,
    ha: false,
    clusterSubnet: "10.244.0.0/16",
    serviceSubnet: "10.245.0.0/16",
    vpcUuid: stableUuid(`${name} vpc`),
    createdAt: "2026-01-01 00:00:00 +0000 UTC",
    updatedAt: "2026-01-01 00:00:00 +0000 UTC",
    maintenancePolicies: [],
    nodePools: [],
    tags: [],
    kubeConfigs: [
      {
        rawConfig,
        host: cluster.server,
        clusterCaCertificate: cluster["certificate-authority-data"] ?? "",
        token: user.token ?? "",
        clientCertificate: user["client-certificate-data"] ?? "",
        clientKey: user["client-key-data"] ?? "",
        expiresAt: "",
      },
    ],
  };
}

/** Names of the clusters that there are. */
export function doksNames(): string[] {
  return (process.env.MATOMO_LOCAL_DOKS ?? DEFAULT_CLUSTERS).split(",");
}

async function readKubeconfig(): Promise<string> {
  const file = process.env.MATOMO_LOCAL_KUBECONFIG;
  if (file) return readFile(file, "utf8");
  throw new Error(
    "MATOMO_LOCAL_KUBECONFIG is not set: it names the embedded cluster's kubeconfig " +
      "(npm start sets it)",
  );
}

function currentContext(config: Kubeconfig) {
  const context = config.contexts.find(({ name }) => name === config["current-context"])?.context;
  const cluster = config.clusters.find(({ name }) => name === context?.cluster)?.cluster;
  const user = config.users.find(({ name }) => name === context?.user)?.user;
  if (cluster && user) return { cluster, user };
  throw new Error(
    `the kubeconfig's current-context ${config["current-context"]} has no cluster or no user`,
  );
}

/** DigitalOcean's ids are random; here the same name must have the same id in every run. */
export function stableUuid(name: string): string {
  const hex = createHash("sha256").update(name).digest("hex");
  return hex.slice(0, 32).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
