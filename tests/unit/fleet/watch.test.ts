import assert from "node:assert/strict";
import * as http from "node:http";
import type { AddressInfo } from "node:net";
import { KubeConfig } from "@kubernetes/client-node";
import { after, before, describe, it } from "mocha";
import { awaitObjects } from "../../../fleet/watch";

describe("waiting for the cluster", () => {
  const config = new KubeConfig();
  /** Of a collection in which nothing ever changes. */
  const server = http.createServer((_, response) => response.flushHeaders());

  before(async () => {
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const cluster = { name: "here", server: `http://127.0.0.1:${port}`, skipTLSVerify: true };
    config.loadFromClusterAndUser(cluster, { name: "somebody" });
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });

  const wait = <R>(found: (names: string[]) => R | undefined, seconds: number) =>
    awaitObjects(
      { config },
      {
        path: "/api/v1/pods",
        list: () =>
          Promise.resolve({
            metadata: { resourceVersion: "1" },
            items: ["a", "b", "c"].map((name) => ({ metadata: { name, resourceVersion: "1" } })),
          }),
      },
      (objects) => found(objects.map(({ metadata }) => metadata!.name!)),
      { what: "the end of time", seconds, signal: new AbortController().signal },
    );

  it("judges a collection as a whole: what is listed last is not gone", async () => {
    assert.deepEqual(await wait((names) => names, 5), ["a", "b", "c"]);
  });

  it("is over when the time is", async () => {
    await assert.rejects(
      wait(() => undefined, 0.1),
      /^Error: not within 0\.1 s: the end of time$/,
    );
  });
});
