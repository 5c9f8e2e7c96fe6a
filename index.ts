/** One stack, one cluster, one site: settings, connection, site, outputs. */
import * as pulumi from "@pulumi/pulumi";
import { clusterProvider, findCluster } from "./components/cluster";
import { withholdDebugMessages } from "./components/debug-log";
import { assertDeployable, survey } from "./components/live";
import { oneFieldManager } from "./components/ownership";
import { parseSettings, settingsWarnings } from "./components/settings";
import { MatomoSite } from "./components/site";
import { isEncrypted, stackConfiguration } from "./components/configuration";

withholdDebugMessages();

export = async (): Promise<pulumi.Inputs> => {
  const settings = parseSettings(stackConfiguration(), isEncrypted);
  for (const warning of settingsWarnings(settings)) await pulumi.log.warn(warning);
  const { kubeconfig, region } = await findCluster(settings.cluster);
  const live = await survey(kubeconfig);
  assertDeployable(settings, live);
  const kubernetes = clusterProvider(kubeconfig, live.cluster);
  const site = new MatomoSite(
    "matomo",
    { settings, region, liveIdentity: live.identity },
    { providers: { kubernetes }, transformations: [oneFieldManager] },
  );
  return site.outputs;
};
