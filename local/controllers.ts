/** Starts what works on an embedded cluster's API server: controllers, scheduler, kwok, the cloud. */
import { existsSync } from "node:fs";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { stringify } from "yaml";
import { keptPort } from "./api-server";
import * as controlPlane from "./control-plane";
import { awaitDaemon, daemonPid, startDaemon } from "./daemons";
import { checkout } from "./paths";

/** Starts those that do not run. */
export async function startControllers(
  folder: string,
  port: number,
  kubernetesFolder: string,
  kwokFolder: string | undefined,
): Promise<void> {
  for (const user of controlPlane.componentUsers) {
    const file = path.join(folder, controlPlane.userFile(user));
    controlPlane.writeKubeconfig(folder, user, port, file);
  }
  // Without a configuration of its own kwok would read the one in the user's home folder.
  const config = { apiVersion: "config.kwok.x-k8s.io/v1alpha1", kind: "KwokConfiguration" };
  await fs.writeFile(path.join(folder, "kwok.yaml"), stringify(config));
  const daemons = controlPlane.controllerDaemons(kubernetesFolder, kwokFolder);
  daemons.forEach((daemon) => startDaemon(folder, daemon));
  await startCloud(folder);
}

/** The stand-in for DigitalOcean's cloud and its controllers: volumes, load balancers. */
async function startCloud(folder: string): Promise<void> {
  const program = path.join(checkout, "local", "standins", "cloud.ts");
  const address = path.join(folder, "cloud.json");
  if (daemonPid(folder, "cloud") !== undefined) {
    return;
  }
  await fs.rm(address, { force: true });
  const kubeconfig = path.join(folder, controlPlane.userFile("cloud-stand-in"));
  startDaemon(folder, {
    name: "cloud",
    command: process.execPath,
    args: [
      path.join(checkout, "launch", "run.cjs"),
      program,
      ...["--kubeconfig", kubeconfig],
      ...["--handed-out", path.join(path.dirname(folder), "kubeconfig")],
      ...["--state-dir", folder],
      // Kept: who was told the address may ask again after a restart.
      ...["--port", String(await keptPort(folder, "cloud-port", "cloud"))],
    ],
  });
  await awaitDaemon(folder, "cloud", async () => existsSync(address));
}
