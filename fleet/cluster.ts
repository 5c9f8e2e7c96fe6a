/**
 * The cluster of a stack, from the stack's settings alone: neither KUBECONFIG nor the current context
 * is read (design decision 10).
 */
import * as path from "node:path";
import {
  AppsV1Api,
  BatchV1Api,
  CoreV1Api,
  CustomObjectsApi,
  KubeConfig,
  StorageV1Api,
} from "@kubernetes/client-node";
import { contextOf, type Kubeconfig, readKubeconfig } from "../components/kubeconfig";
import { NAMESPACE } from "../components/labels";
import { get } from "../components/listing";
import type { ClusterSettings } from "../components/settings";
import { type Doks, readDoks } from "./digitalocean";
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

/** Where a cluster is, before it was asked anything. */
export interface Place {
  kubeconfig: Kubeconfig;
  doks?: Doks;
}

/**
 * Connects to the cluster of the settings.
 * @throws Refusal when there is no such cluster or it does not answer; Failure when DigitalOcean does
 *   not answer
 */
export async function connect(fleet: Fleet, settings: ClusterSettings): Promise<Cluster> {
  return reach(await locate(fleet, settings));
}

/**
 * Where the cluster of the settings is.
 * @throws Refusal when there is no such cluster; Failure when DigitalOcean does not answer
 */
export async function locate(fleet: Fleet, settings: ClusterSettings): Promise<Place> {
  if ("context" in settings) {
    const kubeconfig = fromProject(fleet, settings.kubeconfig);
    return { kubeconfig: contextOf({ ...settings, kubeconfig }) };
  }
  const doks = await readDoks(settings.doks, { signal: fleet.interrupted });
  return { kubeconfig: readKubeconfig(doks.rawConfig), doks };
}

/**
 * A cluster that answers.
 * @throws Refusal when it does not
 */
export async function reach({ kubeconfig, doks }: Place): Promise<Cluster> {
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
