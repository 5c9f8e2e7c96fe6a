/**
 * The site on a real node as a person reaches it: a port of the loopback, forwarded to the ingress
 * within the node's network, and one recorded visit as the proof that all of it works.
 */
import { existsSync } from "node:fs";
import * as fs from "node:fs/promises";
import { createServer } from "node:net";
import * as path from "node:path";
import { nodeTools } from "../artefacts";
import type { Cluster } from "../cluster";
import { awaitDaemon, startDaemon } from "../daemons";
import { localMilliseconds } from "../patience";
import { ensureArtefact } from "../toolchain";
import { ingressAddress } from "./config";

/** Where a person would look first; another one when it is taken. */
const favouritePort = 8080;

/** Opens the site on the loopback; its URL. The port stays the same from one start to the next. */
export async function openSite(cluster: Cluster): Promise<string> {
  const { folder } = cluster;
  const file = path.join(folder, "site-port");
  if (!existsSync(file)) {
    const port = (await freePort(favouritePort)) ?? (await freePort(0));
    await fs.writeFile(file, String(port));
  }
  const address = `127.0.0.1:${await fs.readFile(file, "utf8")}`;
  startDaemon(folder, {
    name: "site",
    command: path.join(await ensureArtefact(nodeTools), "node"),
    args: ["forward", "-from", address, "-to", "unix:egress.sock", "-connect", ingressAddress],
  });
  const url = `http://${address}/`;
  await awaitDaemon(folder, "site", async () => {
    const answer = await fetch(`${url}matomo.php`, { signal: answerLimit() });
    if (answer.status === 200) return true;
    throw new Error(`the site answers ${answer.status}`);
  });
  return url;
}

/** Visits that the database holds. */
export async function countVisits(cluster: Cluster): Promise<number> {
  return Number(await query(cluster, "SELECT COUNT(*) FROM matomo_log_visit"));
}

/** Tracks one page view, as the snippet in a page would; the number of visits after it. */
export async function recordVisit(cluster: Cluster, url: string): Promise<number> {
  const page = encodeURIComponent("https://matomo.local.example.com/first-page");
  const query = `idsite=1&rec=1&url=${page}`;
  const answer = await fetch(`${url}matomo.php?${query}`, { signal: answerLimit() });
  if (answer.status !== 200) {
    throw new Error(`the tracker answered ${answer.status}: ${await answer.text()}`);
  }
  const visits = await countVisits(cluster);
  if (visits === 0) {
    throw new Error("the tracker answered 200 and the database holds no visit");
  }
  return visits;
}

/** Asks the site's database, as its owner, within its pod: tab-separated lines. */
export async function query(cluster: Cluster, sql: string): Promise<string> {
  // The password stays in the pod: in a pipe between two of its processes.
  const script = [
    "secret=/run/secrets/mariadb",
    'options() { printf \'[client]\\nuser="%s"\\npassword="%s"\\n\' "$(<$secret/mariadb-username)" \\',
    '  "$(<$secret/mariadb-password)"; }',
    "mariadb --defaults-extra-file=<(options) --batch --skip-column-names --raw matomo",
  ].join("\n");
  const pod = ["--namespace=matomo", "matomo-mariadb-0", "--container=mariadb"];
  return cluster.kubectl(["exec", ...pod, "--stdin", "--", "bash", "-c", script], sql);
}

/** A request in flight when its pod ended is never answered. */
function answerLimit(): AbortSignal {
  return AbortSignal.timeout(localMilliseconds("requestAnswered"));
}

/** The port, or one that the system picks for 0; undefined if somebody has it. */
function freePort(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(undefined));
    server.listen(port, "127.0.0.1", () => {
      const address = server.address();
      const found = typeof address === "object" && address ? address.port : undefined;
      server.close(() => resolve(found));
    });
  });
}
