/**
 * Issue 6, 3.7 and decision 10: a cluster that KUBECONFIG and ~/.kube/config name, and the service
 * account of a pod that the program may run in, receives not one connection.
 */
import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import { type AddressInfo, createServer, type Server } from "node:net";
import * as path from "node:path";
import { after, before, describe, it } from "mocha";
import { execa } from "execa";
import { kubernetes } from "../../local/artefacts";
import { ensureArtefact } from "../../local/toolchain";
import { sharedSite, type Site } from "./harness";

describe("a decoy cluster in the environment", () => {
  let site: Site;
  let server: Server;
  let connections = 0;
  let env: NodeJS.ProcessEnv;

  before(async () => {
    site = await sharedSite("liberty");
    server = createServer((socket) => {
      connections++;
      socket.destroy();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const home = path.join(site.folder, "home");
    const kubeconfig = path.join(home, ".kube", "config");
    await fs.mkdir(path.dirname(kubeconfig), { recursive: true });
    await fs.writeFile(kubeconfig, decoy(port));
    env = {
      HOME: home,
      KUBECONFIG: kubeconfig,
      KUBERNETES_SERVICE_HOST: "127.0.0.1",
      KUBERNETES_SERVICE_PORT: String(port),
    };
  });
  after(() => new Promise((resolve) => server?.close(resolve)));

  /** Under every context name that a stack of the fleet uses. */
  function decoy(port: number): string {
    const names = ["matomo-local", "liberty", "do-nyc1-liberty"];
    const cluster = { server: `https://127.0.0.1:${port}`, "insecure-skip-tls-verify": true };
    return JSON.stringify({
      apiVersion: "v1",
      kind: "Config",
      "current-context": "matomo-local",
      clusters: names.map((name) => ({ name, cluster })),
      users: names.map((name) => ({ name, user: { token: "decoy" } })),
      contexts: names.map((name) => ({ name, context: { cluster: name, user: name } })),
    });
  }

  it("is reached by whoever trusts the environment", async () => {
    const kubectl = path.join(await ensureArtefact(kubernetes), "kubectl");
    await execa(kubectl, ["get", "pods"], { env, reject: false });
    assert.ok(connections > 0);
    connections = 0;
  });

  for (const command of [
    ["preview"],
    ["refresh", "--yes", "--skip-preview"],
    ["up", "--yes", "--skip-preview"],
  ]) {
    it(`pulumi ${command[0]} goes to the stack's own cluster alone`, async () => {
      await site.pulumi(command, { env });
      assert.equal(connections, 0);
    });
  }
});
