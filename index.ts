/** One stack, one cluster, one site: settings, connection, site, outputs. */
import * as pulumi from "@pulumi/pulumi";
import { connect } from "./components/cluster";
import { assertDeployable, survey } from "./components/live";
import { parseSettings } from "./components/settings";
import { MatomoSite } from "./components/site";
import { stackConfiguration } from "./components/configuration";

export = async (): Promise<pulumi.Inputs> => {
  const settings = parseSettings(stackConfiguration());
  const cluster = await connect(settings.cluster);
  assertDeployable(settings, await survey(cluster.kubeConfig));
  const site = new MatomoSite(
    "matomo",
    { settings, region: cluster.region },
    { providers: { kubernetes: cluster.provider } },
  );
  return site.outputs;
};
