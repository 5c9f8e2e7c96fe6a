/** Where an embedded cluster's API server listens, and whether it answers. */
import { randomInt } from "node:crypto";
import { existsSync } from "node:fs";
import * as fs from "node:fs/promises";
import * as https from "node:https";
import { createServer } from "node:net";
import * as path from "node:path";
import * as controlPlane from "./control-plane";
import { daemonPid } from "./daemons";
import { UserError } from "./errors";
import { localContext } from "./paths";
import { localMilliseconds } from "./patience";

/**
 * The port of the cluster's last start, or a free one for a new cluster. An address that changes
 * would look like another cluster to whatever was deployed to it.
 */
export function apiServerPort(folder: string): Promise<number> {
  return keptPort(folder, "port", "kube-apiserver");
}

/**
 * The port that a daemon had last, noted in a file of the folder, or a free one.
 * @throws UserError when somebody else has it
 */
export async function keptPort(folder: string, name: string, daemon: string): Promise<number> {
  const file = path.join(folder, name);
  if (existsSync(file)) {
    const port = Number(await fs.readFile(file, "utf8"));
    if (daemonPid(folder, daemon) === undefined && !(await isFree(port))) {
      throw new UserError(
        `Port ${port} of the cluster in ${folder} is used by another process: ` +
          "end that, or make a new cluster after npm run clean",
      );
    }
    return port;
  }
  let port = randomPort();
  while (!(await isFree(port))) {
    port = randomPort();
  }
  await fs.writeFile(file, String(port));
  return port;
}

/** Below what systems hand out for outgoing connections, so that it is still free later. */
function randomPort(): number {
  return randomInt(20_000, 32_000);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.on("error", () => resolve(false));
    server.listen({ host: "127.0.0.1", port }, () => server.close(() => resolve(true)));
  });
}

/** Whether the API server says that all its parts are up. */
export function isReady(folder: string, port: number): Promise<boolean> {
  if (!existsSync(path.join(folder, "apiserver.crt"))) {
    return Promise.resolve(false);
  }
  const headers = { authorization: `Bearer ${controlPlane.token(folder, localContext)}` };
  const url = `https://127.0.0.1:${port}/readyz`;
  // Of the whole request: a server that takes the connection and says nothing is not ready either.
  const signal = AbortSignal.timeout(localMilliseconds("requestAnswered"));
  const options = { ca: controlPlane.authority(folder), headers, agent: false, signal };
  return new Promise((resolve) => {
    https
      .get(url, options, (response) => {
        response.resume();
        response.on("error", () => resolve(false));
        response.on("end", () => resolve(response.statusCode === 200));
      })
      .on("error", () => resolve(false));
  });
}
