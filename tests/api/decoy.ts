/** A cluster that nobody meant: all that a shell or a pod may name by accident leads to it. */
import * as fs from "node:fs/promises";
import { type AddressInfo, createServer, type Server } from "node:net";
import * as path from "node:path";

/** Under every context name that a stack of the fleet uses. */
const CONTEXTS = ["matomo-local", "liberty", "do-nyc1-liberty"];

export class Decoy {
  /** How often somebody came. */
  connections = 0;

  private constructor(
    private readonly server: Server,
    /** KUBECONFIG, ~/.kube/config and a pod's service account, for a command's environment. */
    readonly env: NodeJS.ProcessEnv,
  ) {
    server.on("connection", (socket) => {
      this.connections++;
      socket.destroy();
    });
  }

  /** Listens on the loopback; its home is made in `folder`. */
  static async start(folder: string): Promise<Decoy> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const home = path.join(folder, "home");
    const kubeconfig = path.join(home, ".kube", "config");
    await fs.mkdir(path.dirname(kubeconfig), { recursive: true });
    await fs.writeFile(kubeconfig, kubeconfigOf(port));
    return new Decoy(server, {
      HOME: home,
      KUBECONFIG: kubeconfig,
      KUBERNETES_SERVICE_HOST: "127.0.0.1",
      KUBERNETES_SERVICE_PORT: String(port),
    });
  }

  async close(): Promise<void> {
    await new Promise((resolve) => this.server.close(resolve));
  }
}

function kubeconfigOf(port: number): string {
  const cluster = { server: `https://127.0.0.1:${port}`, "insecure-skip-tls-verify": true };
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": CONTEXTS[0],
    clusters: CONTEXTS.map((name) => ({ name, cluster })),
    users: CONTEXTS.map((name) => ({ name, user: { token: "decoy" } })),
    contexts: CONTEXTS.map((name) => ({ name, context: { cluster: name, user: name } })),
  });
}
