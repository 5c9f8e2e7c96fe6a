/**
 * The local cloud's HTTP API on loopback: volumes and keys of Spaces in the shape of DigitalOcean's version 2 API, and
 * hooks under /test/ with which a test loses a volume and finds it again, and counts certificates.
 */
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { IncomingMessage, Server } from "node:http";
import { doksNames, REGION, stableUuid } from "../digitalocean-cluster";
import type { OrderBook } from "./orders";
import type { SpaceStore } from "./spaces";
import { CloudError, notFound } from "./volumes";
import type { VolumeStore } from "./volumes";

interface Answer {
  status: number;
  body?: unknown;
  /** In place of a body: YAML. */
  text?: string;
}

export interface Stores {
  volumes: VolumeStore;
  spaces: SpaceStore;
  orders: OrderBook;
}

export function createApi(stores: Stores, kubeconfig: string): Server {
  return createServer((request, response) => {
    answer(stores, kubeconfig, request)
      .catch((error: Error): Answer => {
        const { status, id } =
          error instanceof CloudError ? error : { status: 500, id: "server_error" };
        return { status, body: { id, message: error.message } };
      })
      .then(({ status, body, text }) => {
        const type = text === undefined ? "application/json" : "application/yaml";
        response.writeHead(status, { "content-type": type });
        response.end(text ?? (body === undefined ? undefined : JSON.stringify(body)));
      });
  });
}

async function answer(
  { volumes, spaces, orders }: Stores,
  kubeconfig: string,
  request: IncomingMessage,
): Promise<Answer> {
  const url = new URL(request.url ?? "/", "http://localhost");
  if (url.pathname.startsWith("/v2/kubernetes/clusters")) return clusters(url, kubeconfig);
  const body = await readBody(request);
  if (url.pathname.startsWith("/v2/spaces/keys")) return keys(spaces, url, request.method, body);
  const [root, kind, id, action] = url.pathname.split("/").slice(1);
  const route = `${request.method} /${root}/${kind}${id ? "/*" : ""}${action ? `/${action}` : ""}`;
  switch (route) {
    case "GET /v2/volumes": {
      const [name, region] = [url.searchParams.get("name"), url.searchParams.get("region")];
      const found = volumes.list({ name, region });
      return { status: 200, body: { volumes: found, links: {}, meta: { total: found.length } } };
    }
    case "POST /v2/volumes":
      return { status: 201, body: { volume: volumes.create(body) } };
    case "GET /v2/volumes/*":
      return { status: 200, body: { volume: volumes.get(id) } };
    case "DELETE /v2/volumes/*":
      volumes.delete(id);
      return { status: 204 };
    case "POST /v2/volumes/*/actions":
      return { status: 202, body: { action: act(volumes, id, body) } };
    case "PUT /test/volumes/*/tags":
      volumes.setTags(id, body.tags as string[]);
      return { status: 204 };
    case "POST /test/volumes/*/lose":
      volumes.lose(id);
      return { status: 204 };
    case "POST /test/volumes/*/restore":
      volumes.restore(id);
      return { status: 204 };
    case "POST /test/buckets":
      return { status: 201, body: spaces.makeBucket(body as { name: string; region: string }) };
    case "GET /test/buckets/*":
      return { status: 200, body: spaces.bucket(id) };
    case "DELETE /test/buckets/*":
      spaces.removeBucket(id);
      return { status: 204 };
    case "GET /test/certificates":
      return { status: 200, body: { orders: orders.list() } };
    default:
      throw new CloudError(404, "not_found", `the local cloud has no ${request.method} ${url}`);
  }
}

/** The clusters that there are, each of them the embedded one, and its kubeconfig. */
async function clusters({ pathname }: URL, file: string): Promise<Answer> {
  const all = doksNames().map((name) => ({ id: stableUuid(name), name, region: REGION }));
  const [id, what] = pathname.split("/").slice(4);
  if (id === undefined) {
    const body = { kubernetes_clusters: all, links: {}, meta: { total: all.length } };
    return { status: 200, body };
  }
  if (what === "kubeconfig" && all.some((one) => one.id === id)) {
    return { status: 200, text: await readFile(file, "utf8") };
  }
  throw notFound();
}

/** Key pairs of DigitalOcean's Spaces. */
function keys(spaces: SpaceStore, { pathname }: URL, method = "GET", body: object): Answer {
  const wanted = body as { name: string; grants: unknown };
  const id = pathname.split("/")[4];
  switch (`${method} ${id ? "one" : "all"}`) {
    case "POST all":
      return { status: 201, body: { key: spaces.makeKey(wanted) } };
    case "GET one":
      return { status: 200, body: { key: spaces.key(id) } };
    case "PUT one":
      return { status: 200, body: { key: spaces.changeKey(id, wanted) } };
    case "DELETE one":
      spaces.removeKey(id);
      return { status: 204 };
    default:
      throw new CloudError(404, "not_found", `the local cloud has no ${method} ${pathname}`);
  }
}

/** Actions of DigitalOcean take seconds; here they are done when they are answered. */
function act(volumes: VolumeStore, id: string, body: Record<string, unknown>) {
  const droplet = Number(body.droplet_id);
  if (body.type === "resize") volumes.resize(id, Number(body.size_gigabytes));
  else if (body.type === "attach") volumes.attach(id, droplet);
  else if (body.type === "detach") volumes.detach(id, droplet);
  else throw new CloudError(422, "unprocessable_entity", `no action ${String(body.type)}`);
  return { id: 1, status: "completed", type: body.type, resource_type: "volume", resource_id: id };
}

async function readBody(request: IncomingMessage): Promise<Record<string, unknown>> {
  let text = "";
  for await (const chunk of request) text += chunk;
  try {
    return text === "" ? {} : JSON.parse(text);
  } catch {
    throw new CloudError(400, "bad_request", "the body is not JSON");
  }
}
