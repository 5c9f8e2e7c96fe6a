/** One stack, one cluster, one site: settings, connection, site, outputs. */
import * as pulumi from "@pulumi/pulumi";
import { connect } from "./components/cluster";
import { withholdDebugMessages } from "./components/debug-log";
import { reportingFailures } from "./components/failure";
import { assertDeployable, survey } from "./components/live";
import { oneFieldManager } from "./components/ownership";
import { parseSettings } from "./components/settings";
import { MatomoSite } from "./components/site";
import { stackConfiguration } from "./components/configuration";

withholdDebugMessages();

export = (): Promise<pulumi.Inputs> =>
  reportingFailures(async () => {
    const settings = parseSettings(stackConfiguration());
    const cluster = await connect(settings.cluster);
    const live = await survey(cluster.kubeconfig);
    assertDeployable(settings, live);
    const site = new MatomoSite(
      "matomo",
      { settings, region: cluster.region, liveIdentity: live.identity },
      { providers: { kubernetes: cluster.provider }, transformations: [oneFieldManager] },
    );
    return site.outputs;
  });
