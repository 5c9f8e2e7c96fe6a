import assert from "node:assert/strict";
import * as http from "node:http";
import type { AddressInfo } from "node:net";
import { ApiException, KubeConfig } from "@kubernetes/client-node";
import { after, before, beforeEach, describe, it } from "mocha";
import { awaitObjects } from "../../../fleet/watch";
import { consistently, eventually, seconds } from "../../waits";

const OVER = "not within 0.1 s: the end of time";

describe("waiting for the cluster", () => {
  const config = new KubeConfig();
  /** Watches that are open: the cluster's side of them. */
  let watches: http.ServerResponse[] = [];
  /** Of a collection in which nothing changes until a test says so. */
  const server = http.createServer((_, response) => {
    response.flushHeaders();
    watches.push(response);
  });

  before(async () => {
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const cluster = { name: "here", server: `http://127.0.0.1:${port}`, skipTLSVerify: true };
    config.loadFromClusterAndUser(cluster, { name: "somebody" });
  });
  beforeEach(() => {
    watches = [];
  });
  after(() => {
    server.closeAllConnections();
    server.close();
  });

  const listed = (names: string[]) => ({
    metadata: { resourceVersion: "1" },
    items: names.map((name) => ({ metadata: { name, resourceVersion: "1" } })),
  });
  const wait = <R>(
    found: (names: string[]) => R | undefined,
    limit: number,
    list = () => Promise.resolve(listed(["a", "b", "c"])),
  ) =>
    awaitObjects(
      { config },
      { path: "/api/v1/pods", list },
      (objects) => found(objects.map(({ metadata }) => metadata!.name!)),
      { what: "the end of time", seconds: limit, signal: new AbortController().signal },
    );
  /** Lists of which each answers the next time; the last one does so from then on. */
  const answers = (...lists: (string[] | Error)[]) => {
    const list = () => {
      const next = lists[Math.min(list.asked++, lists.length - 1)];
      return next instanceof Error ? Promise.reject(next) : Promise.resolve(listed(next));
    };
    list.asked = 0;
    return list;
  };
  const refused = new Error("connect ECONNREFUSED");

  it("judges a collection as a whole: what is listed last is not gone", async () => {
    assert.deepEqual(await wait((names) => names, seconds("requestAnswered")), ["a", "b", "c"]);
  });

  it("is over when the time is", async () => {
    await assert.rejects(
      wait(() => undefined, 0.1),
      { message: OVER },
    );
  });

  it("takes a list that failed for no list, not for an empty one", async () => {
    for (const there of [["a"], []]) {
      const list = answers(refused, refused, there);
      assert.deepEqual(await wait((names) => names, seconds("controllerActs"), list), there);
      assert.equal(list.asked, 3);
    }
  });

  it("judges nothing where each list fails, and says how the last one did", async () => {
    const status = { kind: "Status", message: "pods is forbidden", code: 403 };
    const told: [Error, string][] = [
      [refused, "connect ECONNREFUSED"],
      [
        new ApiException(403, "Forbidden", JSON.stringify(status), {}),
        "HTTP 403: pods is forbidden",
      ],
      [new ApiException(401, "Unauthorized", undefined, {}), "HTTP 401: Unauthorized"],
    ];
    const failing = async ([failure, said]: [Error, string]) => {
      const list = answers(failure);
      let judged = 0;
      const waiting = wait(() => ++judged, 2, list);
      await assert.rejects(waiting, {
        message: `not within 2 s: the end of time; the last failure: ${said}`,
      });
      assert.equal(judged, 0);
      assert.ok(list.asked > 1, "it was not tried again");
    };
    await Promise.all(told.map(failing));
  });

  it("is over with a list that never answers, too", async () => {
    const never = () => new Promise<never>(() => undefined);
    await assert.rejects(
      wait(() => undefined, 0.1, never),
      { message: `${OVER}; the cluster has not answered` },
    );
  });

  it("judges nothing old while the list after a watch that ended fails", async () => {
    let judged: string[][] = [];
    const waiting = wait(
      (names) => {
        judged.push(names);
        return names.includes("new") || undefined;
      },
      seconds("controllerActs"),
      answers(["old"], refused, refused, ["new"]),
    );
    await eventually("the watch, and what was listed before it", () => watches.length && judged[1]);
    judged = [];
    // As the server ends a watch whose start it no longer knows.
    const expired = { type: "ERROR", object: { kind: "Status", code: 410 } };
    watches[0].end(`${JSON.stringify(expired)}\n`);
    assert.equal(await waiting, true);
    assert.deepEqual(judged[0], ["new"]);
  });

  it("goes on where a watch breaks, and asks for no list", async () => {
    const list = answers(["a"]);
    const waiting = wait(
      (names) => names.includes("b") || undefined,
      seconds("controllerActs"),
      list,
    );
    await eventually("the watch", () => watches.length === 1);
    watches[0].destroy();
    await eventually("the next watch", () => watches.length === 2);
    const added = { type: "ADDED", object: { metadata: { name: "b", resourceVersion: "2" } } };
    watches[1].write(`${JSON.stringify(added)}\n`);
    assert.equal(await waiting, true);
    assert.equal(list.asked, 1);
  });

  it("asks for nothing more once it is over", async () => {
    const list = answers(refused);
    await assert.rejects(wait(() => undefined, 0.1, list));
    await consistently("one list", () => list.asked === 1, 1);
  });
});
