/**
 * The local cloud without a cluster: its volumes and their HTTP API, what its attacher answers, how
 * its certificates are counted, how its controllers work off what they have to do.
 * Sources: DigitalOcean's API reference (volumes, block storage actions), the sources of the
 * DigitalOcean CSI driver 4.x, Let's Encrypt's page on rate limits.
 */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { createApi } from "../../../local/standins/cloud/api";
import { dropletId, refusalOf } from "../../../local/standins/cloud/attacher";
import { condition, sameStatus } from "../../../local/standins/cloud/conditions";
import { documentationAddress } from "../../../local/standins/cloud/load-balancers";
import { OrderBook } from "../../../local/standins/cloud/orders";
import { gigabytes } from "../../../local/standins/cloud/quantity";
import { SpaceStore } from "../../../local/standins/cloud/spaces";
import { VolumeStore } from "../../../local/standins/cloud/volumes";

describe("stand-in for DigitalOcean's cloud", () => {
  let folder: string;
  let store: VolumeStore;
  let orders: OrderBook;
  let api: Server;
  let url: string;

  beforeEach(async () => {
    folder = mkdtempSync(path.join(tmpdir(), "cloud-"));
    store = new VolumeStore(path.join(folder, "volumes.json"));
    orders = new OrderBook(path.join(folder, "orders.json"));
    const spaces = new SpaceStore(path.join(folder, "spaces.json"));
    api = createApi({ volumes: store, spaces, orders }, path.join(folder, "kubeconfig"));
    await new Promise<void>((resolve) => api.listen(0, "127.0.0.1", resolve));
    url = `http://127.0.0.1:${(api.address() as AddressInfo).port}`;
  });

  afterEach(() => {
    api.close();
    api.closeAllConnections();
    rmSync(folder, { recursive: true });
  });

  const data = { name: "data", region: "nyc1", size_gigabytes: 10 };

  async function call(method: string, where: string, body?: unknown) {
    const response = await fetch(url + where, {
      method,
      body: body ? JSON.stringify(body) : undefined,
    });
    const text = await response.text();
    return { status: response.status, body: text === "" ? undefined : JSON.parse(text) };
  }

  it("keeps volumes over the API", async () => {
    const made = await call("POST", "/v2/volumes", { ...data, description: "x", tags: ["a"] });
    assert.equal(made.status, 201);
    const { id } = made.body.volume;
    assert.deepEqual((await call("GET", `/v2/volumes/${id}`)).body, made.body);
    const action = { type: "resize", size_gigabytes: 12, region: "nyc1" };
    const resized = await call("POST", `/v2/volumes/${id}/actions`, action);
    assert.deepEqual([resized.status, resized.body.action.status], [202, "completed"]);
    const listed = (await call("GET", "/v2/volumes?name=data&region=nyc1")).body;
    assert.deepEqual([listed.volumes[0].size_gigabytes, listed.meta.total], [12, 1]);
    assert.equal((await call("GET", "/v2/volumes?region=ams3")).body.meta.total, 0);
    assert.equal((await call("DELETE", `/v2/volumes/${id}`)).status, 204);
    const gone = await call("GET", `/v2/volumes/${id}`);
    assert.deepEqual([gone.status, gone.body.id], [404, "not_found"]);
  });

  const refused: { what: string; method: string; where: string; body?: unknown; status: number }[] =
    [
      { what: "a size of 0", method: "POST", where: "", body: { size_gigabytes: 0 }, status: 422 },
      { what: "a bad name", method: "POST", where: "", body: { name: "A_b" }, status: 422 },
      { what: "no region", method: "POST", where: "", body: { region: "" }, status: 422 },
      { what: "a name that is taken", method: "POST", where: "", body: {}, status: 409 },
      {
        what: "a shrink",
        method: "POST",
        where: "/ID/actions",
        body: { type: "resize", size_gigabytes: 9 },
        status: 422,
      },
      { what: "an unknown action", method: "POST", where: "/ID/actions", body: {}, status: 422 },
      { what: "an unknown path", method: "PUT", where: "/ID", status: 404 },
    ];
  for (const { what, method, where, body, status } of refused) {
    it(`refuses ${what}`, async () => {
      const { id } = store.create(data);
      const given = where === "" ? { ...data, ...(body as object) } : body;
      const answer = await call(method, `/v2/volumes${where.replace("ID", id)}`, given);
      assert.equal(answer.status, status, JSON.stringify(answer.body));
      assert.equal(store.list().length, 1);
    });
  }

  it("refuses a body that is not JSON", async () => {
    const response = await fetch(`${url}/v2/volumes`, { method: "POST", body: "{" });
    assert.equal(response.status, 400);
  });

  it("attaches a volume to one droplet at a time", async () => {
    const { id } = store.create(data);
    store.attach(id, 1);
    store.attach(id, 1);
    assert.throws(() => store.attach(id, 2), /This volume is already attached/);
    assert.throws(() => store.detach(id, 2), /Attachment not found/);
    assert.throws(() => store.delete(id), /attached/);
    store.detach(id, 1);
    store.delete(id);
  });

  it("has the volumes again after a restart, the lost ones too", () => {
    const kept = store.create(data);
    const lost = store.create({ ...data, name: "backup" });
    store.attach(lost.id, 1);
    store.lose(lost.id);
    const again = new VolumeStore(path.join(folder, "volumes.json"));
    assert.deepEqual(again.list(), [kept]);
    again.restore(lost.id);
    assert.deepEqual(again.get(lost.id).droplet_ids, []);
    assert.throws(() => again.restore(lost.id), /was not lost/);
    assert.ok(!existsSync(path.join(folder, "volumes.json.new")));
  });

  it("loses and finds a volume by the test hooks, and tells its controllers", async () => {
    const { id } = store.create(data);
    const changed: string[] = [];
    store.on("change", (which) => changed.push(which));
    assert.equal((await call("POST", `/test/volumes/${id}/lose`)).status, 204);
    assert.equal((await call("GET", `/v2/volumes/${id}`)).status, 404);
    assert.equal((await call("POST", `/test/volumes/${id}/restore`)).status, 204);
    assert.equal((await call("GET", `/v2/volumes/${id}`)).status, 200);
    assert.deepEqual(changed, [id, id]);
  });

  it("answers an attachment in the driver's words", () => {
    const { id } = store.create(data);
    assert.equal(refusalOf(store, id, 1), undefined);
    store.attach(id, 1);
    assert.equal(refusalOf(store, id, 1), undefined);
    assert.equal(
      refusalOf(store, id, 2),
      `rpc error: code = FailedPrecondition desc = volume "${id}" is attached to the wrong ` +
        "droplet (1), detach the volume to fix it",
    );
    store.lose(id);
    assert.equal(
      refusalOf(store, id, 1),
      `rpc error: code = NotFound desc = volume "${id}" does not exist`,
    );
  });

  it("gives a node the same droplet and a name the same address every time", () => {
    assert.equal(dropletId("pool-1"), dropletId("pool-1"));
    assert.notEqual(dropletId("pool-1"), dropletId("pool-2"));
    assert.match(documentationAddress("a/b"), /^203\.0\.113\.\d+$/);
    assert.equal(documentationAddress("a/b"), documentationAddress("a/b"));
  });

  // As the API server writes quantities: 1.5Gi comes as 1536Mi.
  for (const [quantity, size] of Object.entries({ "10Gi": 10, "1Mi": 1, "10G": 10, "1536Mi": 2 })) {
    it(`sells ${size} GiB for ${quantity}`, () => {
      assert.equal(gigabytes(quantity), size);
    });
  }

  describe("certificates", () => {
    const PRODUCTION = "https://acme-v02.example/directory";
    const STAGING = "https://acme-staging-v02.example/directory";
    const day = 24 * 3600 * 1000;

    it("five of one set of names in a week in production, and no sixth", () => {
      for (let n = 0; n < 5; n++) assert.equal(orders.place(PRODUCTION, ["a"], n), undefined);
      assert.match(
        orders.place(PRODUCTION, ["a"], 6) ?? "",
        /^too many certificates \(5\) already/,
      );
      assert.equal(orders.place(PRODUCTION, ["a", "b"], 6), undefined);
      assert.equal(orders.place(PRODUCTION, ["a"], 8 * day), undefined);
    });

    it("any number in staging, and a restart forgets none", async () => {
      for (let n = 0; n < 9; n++) assert.equal(orders.place(STAGING, ["a"]), undefined);
      assert.equal((await call("GET", "/test/certificates")).body.orders.length, 9);
      assert.equal(JSON.parse(readFileSync(path.join(folder, "orders.json"), "utf8")).length, 9);
    });
  });

  it("sees that a status says the same, whenever and in whatever order it was written", () => {
    const ready = condition({ metadata: { generation: 1 } }, "Ready", true, "Ready");
    const later = { ...ready, lastTransitionTime: "2030-01-01T00:00:00Z" };
    const { type, ...rest } = later;
    assert.ok(sameStatus({ a: 1, conditions: [ready] }, { conditions: [{ ...rest, type }], a: 1 }));
    assert.ok(
      !sameStatus({ conditions: [ready] }, { conditions: [{ ...ready, status: "False" }] }),
    );
    assert.ok(!sameStatus(undefined, { conditions: [ready] }));
  });
});
