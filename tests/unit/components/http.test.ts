import assert from "node:assert/strict";
import * as http from "node:http";
import type { AddressInfo } from "node:net";
import { exchange } from "../../../components/http";
import { milliseconds } from "../../waits";

const timeout = milliseconds("requestAnswered");

describe("one request and its whole answer", () => {
  let server: http.Server;
  let url: URL;

  before(async () => {
    server = http.createServer((request, response) => {
      if (request.url === "/silent") return;
      if (request.url === "/broken") {
        response.writeHead(200, { "content-length": 100 }).write("half");
        setImmediate(() => response.destroy());
        return;
      }
      let body = "";
      request.setEncoding("utf8").on("data", (data: string) => (body += data));
      request.on("end", () => response.writeHead(201).end(`${request.method} ${body} é`));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });

  it("gives status and text", async () => {
    const answer = await exchange(url, { method: "POST", timeout }, "words");
    assert.deepEqual(answer, { status: 201, body: "POST words é" });
  });

  it("tells a server that keeps silent", async () => {
    const asked = exchange(new URL("/silent", url), { timeout: 50 });
    await assert.rejects(asked, /^Error: no answer in 0.05 s$/);
  });

  it("tells an answer that breaks off", async () => {
    const asked = exchange(new URL("/broken", url), { timeout });
    await assert.rejects(asked, /^Error: aborted$/);
  });

  it("tells what each address of a name answered", async () => {
    const closed = http.createServer();
    await new Promise<void>((resolve) => closed.listen(0, "127.0.0.1", resolve));
    const { port } = closed.address() as AddressInfo;
    await new Promise((resolve) => closed.close(resolve));
    const addresses = ["127.0.0.1", "127.0.0.2"].map((address) => ({ address, family: 4 }));
    const asked = exchange(new URL(`http://matomo.example:${port}`), {
      timeout,
      lookup: (_name, _options, found) => found(null, addresses),
    });
    const refused = (address: string) => `connect ECONNREFUSED ${address}:${port}`;
    await assert.rejects(asked, {
      message: `${refused("127.0.0.1")}, ${refused("127.0.0.2")}`,
    });
  });
});
