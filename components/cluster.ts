/**
 * The connection to the one cluster that a stack is bound to (design decision 10).
 *
 * The kubeconfig comes from the stack's settings alone: from DigitalOcean, or from a named context
 * of a named file. KUBECONFIG and the current context are never read, so that a shell which points
 * at another cluster cannot redirect an `up`.
 */
import { getKubernetesCluster } from "@pulumi/digitalocean/getKubernetesCluster";
import { Provider } from "@pulumi/kubernetes/provider";
import * as pulumi from "@pulumi/pulumi";
import { contextOf, type Kubeconfig, readKubeconfig } from "./kubeconfig";
import type { ClusterSettings } from "./settings";

/** A cluster as the settings name it. */
export interface Cluster {
  kubeconfig: Kubeconfig;
  /** DigitalOcean region, where the cluster is theirs: volumes must be in it. */
  region?: string;
}

/**
 * Finds the cluster of the settings.
 * @throws SettingsError when the kubeconfig has no such context; the provider's own error when
 *   DigitalOcean knows no such cluster
 */
export async function findCluster(settings: ClusterSettings): Promise<Cluster> {
  if ("context" in settings) return { kubeconfig: contextOf(settings) };
  const { kubeConfigs, region } = await getKubernetesCluster({ name: settings.doks });
  return { kubeconfig: readKubeconfig(kubeConfigs[0].rawConfig), region };
}

/** The only Kubernetes provider of the program. */
export function clusterProvider(kubeconfig: Kubeconfig, identifier: string): Provider {
  return new Provider("cluster", {
    kubeconfig: pulumi.secret(kubeconfig.text),
    // The cluster's own. A renewed token, or the same cluster by another name, must not look like
    // another one, or every object would be replaced.
    clusterIdentifier: identifier,
    enableServerSideApply: true,
    // A changed ConfigMap or Secret is updated in place. By default the provider replaces it, and
    // with it the Deployment or StatefulSet that mounts it.
    enableConfigMapMutable: true,
    enableSecretMutable: true,
    // An expired token must not empty the state, whatever the environment asks for.
    deleteUnreachable: false,
  });
}
