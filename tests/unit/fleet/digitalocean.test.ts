/** What a command asks DigitalOcean's own API, against a server of the test's own. */
import assert from "node:assert/strict";
import * as http from "node:http";
import type { AddressInfo } from "node:net";
import { Refusal } from "../../../components/failure";
import { findVolume, readDoks } from "../../../fleet/digitalocean";
import { Failure } from "../../../fleet/errors";

const VARIABLES = ["DIGITALOCEAN_TOKEN", "DIGITALOCEAN_ACCESS_TOKEN", "DIGITALOCEAN_API_URL"];
const CLUSTERS = "/v2/kubernetes/clusters";

interface Reply {
  status?: number;
  headers?: http.OutgoingHttpHeaders;
  body?: unknown;
}

describe("DigitalOcean's API", () => {
  let server: http.Server;
  /** What is asked, and how it is answered; undefined: not at all. */
  let reply: (url: URL) => Reply | undefined;
  const asked: http.IncomingMessage[] = [];
  const kept = Object.fromEntries(VARIABLES.map((name) => [name, process.env[name]]));
  const quick = { pause: 1 };

  before(async () => {
    server = http.createServer((request, response) => {
      asked.push(request);
      const said = reply(new URL(request.url!, "http://localhost"));
      if (!said) return;
      response.writeHead(said.status ?? 200, said.headers);
      response.end(typeof said.body === "string" ? said.body : JSON.stringify(said.body));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  });
  after(() => {
    server.closeAllConnections();
    server.close();
    for (const [name, value] of Object.entries(kept)) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  });
  beforeEach(() => {
    asked.length = 0;
    for (const name of VARIABLES) delete process.env[name];
    process.env.DIGITALOCEAN_TOKEN = "t0ken";
    process.env.DIGITALOCEAN_API_URL = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    reply = standard;
  });

  const listed = (name: string) => ({ id: `id-${name}`, name, region: "nyc1" });
  function standard({ pathname, searchParams }: URL): Reply {
    if (pathname === `${CLUSTERS}/id-shop/kubeconfig`) return { body: "kind: Config\n" };
    if (pathname === CLUSTERS && searchParams.get("page") === "1") {
      const links = { pages: { next: "https://api.digitalocean.com/…?page=2" } };
      return { body: { kubernetes_clusters: [listed("blog")], links } };
    }
    if (pathname === CLUSTERS)
      return { body: { kubernetes_clusters: [listed("shop")], links: {} } };
    return { status: 404, body: { id: "not_found", message: "not there" } };
  }

  it("gives the cluster of a name, from whatever page, and its kubeconfig", async () => {
    const found = { id: "id-shop", region: "nyc1", rawConfig: "kind: Config\n" };
    assert.deepEqual(await readDoks("shop"), found);
    assert.deepEqual(
      [...new Set(asked.map(({ headers }) => headers.authorization))],
      ["Bearer t0ken"],
    );
    // A token in an address would be in a log.
    assert.ok(asked.every(({ url }) => !url!.includes("t0ken")));
  });

  it("takes the token by the provider's other name", async () => {
    delete process.env.DIGITALOCEAN_TOKEN;
    process.env.DIGITALOCEAN_ACCESS_TOKEN = "other";
    await readDoks("shop");
    assert.equal(asked[0].headers.authorization, "Bearer other");
  });

  it("names the clusters that there are", async () => {
    const said =
      /^DigitalOcean's cluster "x" cannot be read: no such cluster \(there are: blog, shop\)$/;
    await assert.rejects(readDoks("x"), (error) => {
      assert.ok(error instanceof Refusal);
      assert.match(error.message, said);
      return true;
    });
    reply = () => ({ body: { kubernetes_clusters: [] } });
    await assert.rejects(readDoks("x"), /no such cluster \(the token sees no cluster\)/);
  });

  it("is not asked without a token", async () => {
    delete process.env.DIGITALOCEAN_TOKEN;
    await assert.rejects(readDoks("shop"), /"shop" cannot be read: DIGITALOCEAN_TOKEN is not set/);
    assert.equal(asked.length, 0);
  });

  for (const [status, says] of [
    [401, /answers 401: no\. DIGITALOCEAN_TOKEN is not valid/],
    [403, /answers 403: no\. .*lacks a scope: kubernetes:read, kubernetes:access_cluster/],
  ] as const) {
    it(`says what a ${status} means, and does not ask again`, async () => {
      reply = () => ({ status, body: { id: "x", message: "no" } });
      await assert.rejects(readDoks("shop", quick), says);
      assert.equal(asked.length, 1);
    });
  }

  for (const [what, answer] of Object.entries<Reply>({
    "its own fault": { status: 502, body: "<html>" },
    "too many requests": { status: 429, headers: { "retry-after": "0" }, body: {} },
  })) {
    it(`is asked again after ${what}`, async () => {
      let first = true;
      reply = (url) => {
        const isFirst = first;
        first = false;
        return isFirst ? answer : standard(url);
      };
      assert.equal((await readDoks("shop", quick)).id, "id-shop");
    });
  }

  it("fails when its fault stays", async () => {
    reply = () => ({ status: 503, body: "busy" });
    await assert.rejects(readDoks("shop", quick), (error) => {
      assert.ok(error instanceof Failure);
      assert.match(error.message, /cannot be read: DigitalOcean answers 503: busy/);
      return true;
    });
    assert.equal(asked.length, 3);
  });

  it("fails when nobody is there, or says nothing", async () => {
    reply = () => undefined;
    const impatient = { ...quick, timeout: 50 };
    await assert.rejects(readDoks("shop", impatient), /cannot be read: no answer in 0\.05 s/);
    process.env.DIGITALOCEAN_API_URL = "http://127.0.0.1:2";
    await assert.rejects(readDoks("shop", quick), /cannot be read: 127\.0\.0\.1:2: .*ECONNREFUSED/);
  });

  it("is not waited for once the command is interrupted", async () => {
    reply = () => undefined;
    const interrupted = new AbortController();
    const waiting = readDoks("shop", { signal: interrupted.signal });
    interrupted.abort();
    await assert.rejects(waiting);
  });

  it("finds a Volume by name and region, or none", async () => {
    reply = ({ searchParams }) => {
      assert.equal(searchParams.get("region"), "nyc1");
      const volumes = searchParams.get("name") === "data" ? [{ id: "v1" }] : [];
      return { body: { volumes } };
    };
    assert.equal(await findVolume("data", "nyc1"), "v1");
    assert.equal(await findVolume("other", "nyc1"), undefined);
  });
});
