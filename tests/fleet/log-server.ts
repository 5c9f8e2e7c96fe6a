/** A kubelet's logs: what the pods of the nodes that wait would have printed. */
import * as https from "node:https";
import type { AddressInfo } from "node:net";
import { generate } from "selfsigned";
import type { Site } from "../api/harness";

const NODES = ["pool-incidents-1", "pool-incidents-2"];

/** Of a proven backup, as backup.sh writes it. */
const MANIFEST = {
  site: "matomo.liberty.example.com",
  matomo: "5.5.1",
  mariadb: "12.0.2-MariaDB",
  files: { "database.sql.zst": { bytes: 10 }, "state.tar.zst": { bytes: 10 } },
  milliseconds: { dump: 1, restore: 1, proof: 1 },
  tables: [{ name: "matomo_site", rows: 1 }],
};

/** What a manifest says of a backup besides. */
interface Mentioned {
  matomo?: string;
  actions?: number;
}

/** What list-backups.sh prints of proven backups, some of them of another Matomo, and of what is none. */
export function volumeLines(backups: (string | [string, Mentioned])[], others: string[] = []) {
  const lines = [
    ...backups.map((one) => {
      const [name, { matomo, actions = 0 }] =
        typeof one === "string" ? [one, {} as Mentioned] : one;
      const tables = [...MANIFEST.tables, { name: "matomo_log_link_visit_action", rows: actions }];
      return { name, manifest: { ...MANIFEST, ...(matomo && { matomo }), tables } };
    }),
    ...others.map((other) => ({ other, bytes: 300, changed: "2020-01-01T00:00:00Z" })),
    { volume: { bytes: 2000, free: 1000 } },
  ];
  return lines.map((line) => JSON.stringify(line)).join("\n");
}

export class LogServer {
  /** What a container of this name printed. */
  private readonly logs: Record<string, string> = {};
  private server?: https.Server;

  /** Serves, and has the nodes say where. */
  async start(site: Site): Promise<void> {
    const { cert, private: key } = await generate([{ name: "commonName", value: "kubelet" }]);
    const server = https.createServer({ cert, key }, ({ url = "" }, response) => {
      const container = /^\/containerLogs\/[^/]+\/[^/]+\/([^/?]+)/.exec(url)?.[1] ?? "";
      response.end(this.logs[container] ?? "");
    });
    this.server = server;
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const status = {
      addresses: [{ type: "InternalIP", address: "127.0.0.1" }],
      daemonEndpoints: { kubeletEndpoint: { Port: port } },
    };
    const merge = ["--subresource=status", "--type=merge", "-p", JSON.stringify({ status })];
    for (const node of NODES) await site.kubectl("patch", "node", node, ...merge);
  }

  /** The list of the backups is this from now on. */
  list(...names: string[]): void {
    this.say("list", volumeLines(names));
  }

  /** What a container of this name prints from now on. */
  say(container: string, text: string): void {
    this.logs[container] = `${text}\n`;
  }

  stop(): void {
    this.server?.closeAllConnections();
    this.server?.close();
  }
}
