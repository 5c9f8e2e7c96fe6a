/**
 * Stand-in for DigitalOcean's cloud around the embedded cluster: the volumes API on loopback, and
 * the controllers that a DOKS cluster has beside Kubernetes' own. One long-running process that
 * local/ starts and ends; production code never uses it.
 *
 *   cloud.ts --kubeconfig FILE --handed-out FILE --state-dir DIR [--port N] [--region SLUG]
 *
 * The first is its own, the other what its API hands out. Writes DIR/cloud.json ({"url": …}) when its
 * API listens, keeps the volumes in DIR/volumes.json, certificates that were issued in DIR/orders.json,
 * survives restarts of the API server, ends on SIGTERM.
 */
import type { AddressInfo } from "node:net";
import * as path from "node:path";
import { parseArgs } from "node:util";
import { createApi } from "./cloud/api";
import { startAttacher } from "./cloud/attacher";
import { startCertificates } from "./cloud/certificates";
import { startGateways } from "./cloud/gateway";
import { writeKept } from "./cloud/kept";
import { Kube } from "./cloud/kube";
import { startLoadBalancers } from "./cloud/load-balancers";
import { OrderBook } from "./cloud/orders";
import { SpaceStore } from "./cloud/spaces";
import { startProvisioner } from "./cloud/provisioner";
import { startResizer } from "./cloud/resizer";
import { VolumeStore } from "./cloud/volumes";

const { values } = parseArgs({
  options: {
    kubeconfig: { type: "string" },
    "handed-out": { type: "string" },
    "state-dir": { type: "string" },
    port: { type: "string", default: "0" },
    region: { type: "string", default: "nyc1" },
  },
});
const { kubeconfig, "handed-out": handedOut, "state-dir": stateDir, port, region } = values;
if (!kubeconfig || !handedOut || !stateDir) {
  throw new Error(
    "usage: cloud.ts --kubeconfig FILE --handed-out FILE --state-dir DIR [--port N] [--region SLUG]",
  );
}

const volumes = new VolumeStore(path.join(stateDir, "volumes.json"));
const orders = new OrderBook(path.join(stateDir, "orders.json"));
const spaces = new SpaceStore(path.join(stateDir, "spaces.json"));
const kube = new Kube(kubeconfig);
startProvisioner(kube, volumes, region);
startResizer(kube, volumes);
startAttacher(kube, volumes);
startLoadBalancers(kube);
startGateways(kube);
startCertificates(kube, orders);

const api = createApi({ volumes, spaces, orders }, handedOut).listen(
  Number(port),
  "127.0.0.1",
  () => {
    const file = path.join(stateDir, "cloud.json");
    const url = `http://127.0.0.1:${(api.address() as AddressInfo).port}`;
    // Renamed when it is whole: whoever waits for the file reads it at once.
    writeKept(file, { url });
  },
);

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  process.once(signal, () => {
    api.close();
    api.closeAllConnections();
    void kube.close().then(() => process.exit(0));
  });
}
