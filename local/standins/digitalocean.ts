/**
 * Stand-in for Pulumi's `digitalocean` provider plugin (the real one cannot be built from Go
 * modules): Volumes and Spaces in the local cloud (cloud.ts), and a DOKS cluster that is the embedded one.
 * Used by local/ only, and only where the real plugin is not installed.
 *
 * Environment, set by local/:
 *   MATOMO_LOCAL_KUBECONFIG  kubeconfig of the embedded cluster
 *   MATOMO_LOCAL_CLOUD       cloud.json, in which cloud.ts writes the address of its API
 *                            (default: cluster/cloud.json beside the kubeconfig)
 *   MATOMO_LOCAL_DOKS        names of the clusters there are (default: liberty,yonks,personal)
 */
import { getKubernetesCluster } from "./digitalocean-cluster";
import { SpacesBucket, SpacesKey } from "./digitalocean-spaces";
import { Volume, getVolume } from "./digitalocean-volume";
import { servePlugin } from "./plugin";
import type { PluginStandIn } from "./plugin";

export const digitalocean: PluginStandIn = {
  name: "digitalocean",
  version: "4.80.1",
  resources: {
    "digitalocean:index/spacesBucket:SpacesBucket": SpacesBucket,
    "digitalocean:index/spacesKey:SpacesKey": SpacesKey,
    "digitalocean:index/volume:Volume": Volume,
  },
  functions: {
    "digitalocean:index/getKubernetesCluster:getKubernetesCluster": getKubernetesCluster,
    "digitalocean:index/getVolume:getVolume": getVolume,
  },
};

export function serve(): void {
  servePlugin(digitalocean);
}
