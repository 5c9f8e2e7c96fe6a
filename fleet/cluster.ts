/**
 * The cluster of a stack, from the stack's settings alone: neither KUBECONFIG nor the current context
 * is read (design decision 10).
 */
import { randomBytes } from "node:crypto";
import * as fs from "node:fs/promises";
import * as os from "node:os";
import * as path from "node:path";
import {
  AppsV1Api,
  BatchV1Api,
  CoreV1Api,
  CustomObjectsApi,
  KubeConfig,
  StorageV1Api,
} from "@kubernetes/client-node";
import { getKubernetesCluster } from "@pulumi/digitalocean/getKubernetesCluster";
import { LocalWorkspace } from "@pulumi/pulumi/automation";
import { contextOf } from "../components/cluster";
import { Refusal } from "../components/failure";
import { type Kubeconfig, readKubeconfig } from "../components/kubeconfig";
import { NAMESPACE } from "../components/labels";
import { get } from "../components/listing";
import type { ClusterSettings } from "../components/settings";
import { reason } from "./errors";
import type { Fleet } from "./fleet";

/** A stack's cluster, reachable. */
export interface Cluster {
  kubeconfig: Kubeconfig;
  /** For the client library's watches and logs. */
  config: KubeConfig;
  apps: AppsV1Api;
  core: CoreV1Api;
  batch: BatchV1Api;
  storage: StorageV1Api;
  custom: CustomObjectsApi;
  /** What DigitalOcean says of it, where it is theirs. */
  doks?: Doks;
}

/**
 * How long the engine may take to end when the work is done, in milliseconds: an answer of DigitalOcean
 * for which nobody waits any more would keep it.
 */
const END_MS = 1_000;

/** A DigitalOcean Kubernetes cluster. */
export interface Doks {
  id: string;
  region: string;
  /** Its kubeconfig; it holds credentials. */
  rawConfig: string;
}

/**
 * Connects to the cluster of the settings.
 * @param also work with it while the provider still answers: starting it takes longer than the work
 * @param found called once it is known where the cluster is, before it is asked anything
 * @throws Refusal when there is no such cluster or it does not answer; what the work throws
 */
export async function connect(
  fleet: Fleet,
  settings: ClusterSettings,
  also: (cluster: Cluster) => Promise<void> = () => Promise.resolve(),
  found: () => void = () => undefined,
): Promise<Cluster> {
  if ("context" in settings) {
    const kubeconfig = fromProject(fleet, settings.kubeconfig);
    found();
    const cluster = await reach(contextOf({ ...settings, kubeconfig }));
    await also(cluster);
    return cluster;
  }
  return askDigitalOcean(settings.doks, async (doks) => {
    found();
    const cluster = await reach(readKubeconfig(doks.rawConfig), doks);
    await also(cluster);
    return cluster;
  });
}

async function reach(kubeconfig: Kubeconfig, doks?: Doks): Promise<Cluster> {
  // Ends within seconds when nobody is there; the client library would wait.
  await get(kubeconfig, `/api/v1/namespaces/${NAMESPACE}`);
  const config = new KubeConfig();
  config.loadFromString(kubeconfig.text);
  return {
    kubeconfig,
    config,
    apps: config.makeApiClient(AppsV1Api),
    core: config.makeApiClient(CoreV1Api),
    batch: config.makeApiClient(BatchV1Api),
    storage: config.makeApiClient(StorageV1Api),
    custom: config.makeApiClient(CustomObjectsApi),
    doks,
  };
}

/** The settings' file is relative to the project, as for the program. */
export function fromProject({ project }: Fleet, file: string): string {
  return file.startsWith("~") ? file : path.resolve(project, file);
}

/**
 * A fresh kubeconfig, read as the program reads it: with the provider's own function and credentials.
 * The program that calls it has no resources, and a backend that is gone afterwards. Within `work` the
 * provider's other functions answer, too.
 */
async function askDigitalOcean<T>(name: string, work: (doks: Doks) => Promise<T>): Promise<T> {
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), "matomo-fleet-"));
  // Apart from the program's own end: an error of the work is not the provider's.
  let done: Promise<T> | undefined;
  const over = new AbortController();
  const program = async () => {
    const { id, region, kubeConfigs } = await getKubernetesCluster({ name });
    done = work({ id, region, rawConfig: kubeConfigs[0].rawConfig });
    await done.catch(() => undefined);
    setTimeout(() => over.abort(), END_MS).unref();
  };
  try {
    const stack = await LocalWorkspace.createStack(
      { stackName: "lookup", projectName: "lookup", program },
      {
        workDir: folder,
        envVars: {
          PULUMI_BACKEND_URL: `file://${folder}`,
          PULUMI_CONFIG_PASSPHRASE: randomBytes(16).toString("hex"),
        },
      },
    );
    await stack.preview({ color: "never", suppressProgress: true, signal: over.signal });
  } catch (error) {
    if (!done)
      throw new Refusal(`DigitalOcean's cluster "${name}" cannot be read: ${causeOf(error)}`);
  } finally {
    await fs.rm(folder, { recursive: true, force: true });
  }
  return done!;
}

/** The line of an engine's failure that says why. */
function causeOf(error: unknown): string {
  const lines = reason(error)
    .split("\n")
    .map((line) => line.trim());
  return lines.find((line) => /^error: |Error: /i.test(line)) ?? lines[0];
}
