/** From `pulumi up` on an empty node to the first recorded visit, with the images in place. */
import * as fs from "node:fs/promises";
import * as os from "node:os";
import * as path from "node:path";
import { startCluster, stopCluster } from "../../local/cluster";
import { openEngine } from "../../local/engine";
import { openSite, recordVisit } from "../../local/node/site";
import { nodeRefusal } from "../../local/node/tier";

const TARGET_SECONDS = 30;

export async function benchVisit(): Promise<void> {
  const refusal = nodeRefusal();
  if (refusal !== undefined) {
    console.log(`first recorded visit    left out: ${refusal}`);
    return;
  }
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), "matomo-visit-"));
  try {
    const cluster = await startCluster(folder, { node: true });
    const engine = await openEngine(folder, { standIns: "always" });
    const own = { context: "matomo-local", kubeconfig: cluster.kubeconfig };
    const started = Date.now();
    await engine.pulumi(["up", "--yes", "--skip-preview"], {
      stack: "local",
      config: { "matomo:cluster": own },
    });
    const up = (Date.now() - started) / 1000;
    await recordVisit(cluster, await openSite(cluster));
    const visit = (Date.now() - started) / 1000;
    console.log(
      `first recorded visit    ${visit.toFixed(1)} s after pulumi up began, which took ` +
        `${up.toFixed(1)} s (target ${TARGET_SECONDS} s, met: ${visit <= TARGET_SECONDS ? "yes" : "no"})`,
    );
  } finally {
    await stopCluster(folder);
    await fs.rm(folder, { recursive: true, force: true });
  }
}
