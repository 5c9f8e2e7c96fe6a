/**
 * The `digitalocean` stand-in against what the real provider does. Sources: the documentation and
 * sources of the Terraform provider "digitalocean" 2.x (digitalocean_volume, kubernetes_cluster),
 * pulumi-digitalocean 4.x and Pulumi's Terraform bridge.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { stringify } from "yaml";
import { createApi } from "../../../local/standins/cloud/api";
import { OrderBook } from "../../../local/standins/cloud/orders";
import { SpaceStore } from "../../../local/standins/cloud/spaces";
import { VolumeStore } from "../../../local/standins/cloud/volumes";
import { digitalocean } from "../../../local/standins/digitalocean";
import { UNKNOWN } from "../../../local/standins/wire";
import type { Properties } from "../../../local/standins/wire";
import { Caller } from "./harness";

const GET_CLUSTER = "digitalocean:index/getKubernetesCluster:getKubernetesCluster";
const GET_VOLUME = "digitalocean:index/getVolume:getVolume";
const volume = new Caller(digitalocean, "digitalocean:index/volume:Volume", "matomo-data");

describe("stand-in for the digitalocean provider", () => {
  const VARIABLES = ["MATOMO_LOCAL_CLOUD", "MATOMO_LOCAL_DOKS", "MATOMO_LOCAL_KUBECONFIG"];
  const saved = VARIABLES.map((name) => [name, process.env[name]] as const);
  let folder: string;
  let store: VolumeStore;
  let api: Server;

  beforeEach(async () => {
    folder = mkdtempSync(path.join(tmpdir(), "standins-"));
    store = new VolumeStore(path.join(folder, "volumes.json"));
    const orders = new OrderBook(path.join(folder, "orders.json"));
    const spaces = new SpaceStore(path.join(folder, "spaces.json"));
    api = createApi({ volumes: store, spaces, orders }, path.join(folder, "kubeconfig"));
    await new Promise<void>((resolve) => api.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(api.address() as AddressInfo).port}`;
    process.env.MATOMO_LOCAL_CLOUD = path.join(folder, "cloud.json");
    writeFileSync(process.env.MATOMO_LOCAL_CLOUD, JSON.stringify({ url }));
  });

  afterEach(() => {
    api.close();
    api.closeAllConnections();
    rmSync(folder, { recursive: true });
    for (const [name, value] of saved) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  });

  describe("Volume", () => {
    const inputs = { name: "data", region: "NYC1", size: 10, initialFilesystemType: "ext4" };

    const refused: { inputs: Properties; failure: RegExp }[] = [
      { inputs: { size: 0 }, failure: /^size: expected size to be at least \(1\).* got 0/ },
      { inputs: { size: 1.5 }, failure: /^size: / },
      { inputs: { initialFilesystemType: "btrfs" }, failure: /one of ext4, xfs, got btrfs/ },
      { inputs: { filesystemType: "ext4" }, failure: /^filesystemType: conflicts with/ },
      { inputs: { name: "Data_1" }, failure: /^name: .*got Data_1/ },
      { inputs: { region: "" }, failure: /^region: region must not be empty/ },
      { inputs: { description: "" }, failure: /^description: / },
      { inputs: { tier: "fast" }, failure: /^tier: is no input of this resource/ },
    ];
    for (const row of refused) {
      it(`refuses ${JSON.stringify(row.inputs)}`, async () => {
        const { failures } = await volume.check({ ...inputs, ...row.inputs });
        assert.equal(failures.length, 1, failures.join("; "));
        assert.match(failures[0], row.failure);
      });
    }

    it("is made in the cloud, in a region of lower case", async () => {
      const { id, values } = await volume.create(inputs);
      assert.deepEqual(store.get(id).region, { slug: "nyc1" });
      assert.equal(values.region, "nyc1");
      assert.equal(values.volumeUrn, `do:volume:${id}`);
      assert.equal(values.filesystemType, "ext4");
      assert.deepEqual((await volume.diff(values, inputs)).changes, {});
    });

    it("has in a preview what is given, and nothing that the cloud decides", async () => {
      const { id, values } = await volume.create(inputs, { preview: true });
      assert.deepEqual([id, store.list()], ["", []]);
      assert.deepEqual([values.size, values.volumeUrn], [10, UNKNOWN]);
    });

    it("refuses a second one of the same name in the region", async () => {
      await volume.create(inputs);
      await assert.rejects(volume.create(inputs), /409 volume data already exists in region nyc1/);
    });

    it("gets a name from its Pulumi name, and keeps it", async () => {
      const first = (await volume.check({ region: "nyc1", size: 1 })).inputs;
      assert.match(first.name as string, /^matomo-data-[0-9a-f]{7}$/);
      const second = await volume.check({ region: "nyc1", size: 2 }, first);
      assert.equal(second.inputs.name, first.name);
    });

    /** ForceNew in digitalocean_volume: all but size and tags. */
    const changes: { news: Properties; replaces: string[]; changes?: string[] }[] = [
      { news: {}, replaces: [] },
      { news: { size: 20 }, replaces: [], changes: ["size"] },
      { news: { tags: ["a"] }, replaces: [], changes: ["tags"] },
      { news: { tags: [] }, replaces: [] },
      { news: { region: "nyc1" }, replaces: [] },
      { news: { region: "ams3" }, replaces: ["region"] },
      { news: { name: "other" }, replaces: ["name"] },
      { news: { description: "x" }, replaces: ["description"] },
      { news: { initialFilesystemType: "xfs" }, replaces: ["initialFilesystemType"] },
      { news: { snapshotId: "s" }, replaces: ["snapshotId"] },
      { news: { initialFilesystemLabel: "l" }, replaces: ["initialFilesystemLabel"] },
      { news: { name: UNKNOWN }, replaces: ["name"] },
    ];
    for (const row of changes) {
      const shown = JSON.stringify(row.news, (_, value) => (value === UNKNOWN ? "unknown" : value));
      it(`a change of ${shown} replaces [${row.replaces.join()}]`, async () => {
        const { values } = await volume.create(inputs);
        const diff = await volume.diff(values, { ...inputs, ...row.news, __defaults: [] });
        assert.deepEqual(diff.replaces, row.replaces);
        assert.deepEqual(Object.keys(diff.changes), row.changes ?? row.replaces);
      });
    }

    it("with a name of its own goes before its replacement comes, else after", async () => {
      const { values } = await volume.create(inputs);
      const own = await volume.diff(values, { ...inputs, description: "x", __defaults: [] });
      assert.equal(own.deleteBeforeReplace, true);
      const made = { ...inputs, description: "x", __defaults: ["name"] };
      assert.equal((await volume.diff(values, made)).deleteBeforeReplace, false);
    });

    it("grows in place", async () => {
      const { id, values } = await volume.create(inputs);
      const updated = await volume.update(id, values, { ...inputs, size: 20, tags: ["a"] });
      assert.equal(updated.values.size, 20);
      assert.deepEqual([store.get(id).size_gigabytes, store.get(id).tags], [20, ["a"]]);
    });

    it("never shrinks", async () => {
      const { values } = await volume.create(inputs);
      await assert.rejects(
        volume.diff(values, { ...inputs, size: 9 }),
        /volumes `size` can only be expanded and not shrunk/,
      );
    });

    it("is gone for a refresh when it was lost, and back when it is found", async () => {
      const { id, values } = await volume.create(inputs);
      store.lose(id);
      assert.equal((await volume.read(id, values, inputs)).id, "");
      store.restore(id);
      assert.deepEqual((await volume.read(id, values, inputs)).state.values, values);
    });

    it("shows a refresh what was changed behind its back", async () => {
      const { id, values } = await volume.create(inputs);
      store.resize(id, 30);
      const read = await volume.read(id, values, inputs);
      assert.deepEqual([read.state.values.size, read.inputs.size], [30, 30]);
    });

    it("is imported by its id", async () => {
      const { id, values } = await volume.create(inputs);
      const read = await volume.read(id);
      assert.deepEqual(read.state.values, values);
      assert.deepEqual((await volume.diff(read.state.values, inputs)).changes, {});
      assert.equal((await volume.read("no-such-id")).id, "");
    });

    it("is deleted, but not while it is attached", async () => {
      const { id } = await volume.create(inputs);
      store.attach(id, 7);
      await assert.rejects(volume.delete(id), /409 Cannot delete a volume that is attached/);
      store.detach(id, 7);
      await volume.delete(id);
      assert.deepEqual(store.list(), []);
      await assert.rejects(volume.delete(id), /404/);
    });

    it("can be looked up by name", async () => {
      const { id } = await volume.create(inputs);
      const found = await volume.invoke(GET_VOLUME, { name: "data", region: "nyc1" });
      assert.deepEqual([found.values.id, found.values.size], [id, 10]);
      await assert.rejects(
        volume.invoke(GET_VOLUME, { name: "none" }),
        /no volumes found with name none/,
      );
    });

    it("says that no cloud runs", async () => {
      process.env.MATOMO_LOCAL_CLOUD = path.join(folder, "nothing.json");
      await assert.rejects(volume.create(inputs), /no local cloud runs .*npm start runs one/);
    });
  });

  describe("SpacesBucket and SpacesKey", () => {
    const bucket = new Caller(digitalocean, "digitalocean:index/spacesBucket:SpacesBucket", "b");
    const key = new Caller(digitalocean, "digitalocean:index/spacesKey:SpacesKey", "k");
    const inputs = { name: "liberty-backups", region: "fra1", versioning: { enabled: true } };
    const grants = [{ bucket: "liberty-backups", permission: "readwrite" }];

    it("is a bucket of that name, once, which a name or region replaces", async () => {
      const { id, values } = await bucket.create(inputs);
      assert.equal(values.bucketDomainName, "liberty-backups.fra1.digitaloceanspaces.com");
      assert.deepEqual((await bucket.diff(values, inputs)).changes, {});
      await assert.rejects(bucket.create(inputs), /409 bucket liberty-backups already exists/);
      assert.deepEqual((await bucket.diff(values, { ...inputs, name: "b-2" })).replaces, ["name"]);
      const lifecycleRules = [{ enabled: true }];
      assert.deepEqual((await bucket.diff(values, { ...inputs, lifecycleRules })).replaces, []);
      assert.equal((await bucket.read(id, values, inputs)).id, id);
      await bucket.delete(id);
      assert.equal((await bucket.read(id, values, inputs)).id, "");
    });

    it("tells a key's secret once, and keeps it", async () => {
      const { id, values, secrets } = await key.create({ name: "k", grants });
      assert.ok(secrets.has("secretKey"));
      assert.match(String(values.secretKey), /^.{44}$/);
      assert.doesNotMatch(readFileSync(path.join(folder, "spaces.json"), "utf8"), /secret/);
      const again = await key.read(id, values, { name: "k", grants });
      assert.equal(again.state.values.secretKey, values.secretKey);
      const renamed = await key.update(id, values, { name: "other", grants });
      assert.equal(renamed.values.secretKey, values.secretKey);
      await key.delete(id);
      assert.equal((await key.read(id, values, { name: "k", grants })).id, "");
    });
  });

  describe("getKubernetesCluster", () => {
    const kubeconfig = stringify({
      "current-context": "matomo-local",
      contexts: [{ name: "matomo-local", context: { cluster: "c", user: "u" } }],
      clusters: [{ name: "c", cluster: { server: "https://127.0.0.1:6443" } }],
      users: [{ name: "u", user: { token: "t0ken" } }],
    });

    beforeEach(() => {
      process.env.MATOMO_LOCAL_KUBECONFIG = path.join(folder, "kubeconfig");
      writeFileSync(process.env.MATOMO_LOCAL_KUBECONFIG, kubeconfig);
      delete process.env.MATOMO_LOCAL_DOKS;
    });

    for (const name of ["liberty", "yonks", "personal"]) {
      it(`answers for ${name} with the embedded cluster's kubeconfig`, async () => {
        const { values } = await volume.invoke(GET_CLUSTER, { name });
        const [config] = values.kubeConfigs as Properties[];
        assert.deepEqual([values.name, values.endpoint], [name, "https://127.0.0.1:6443"]);
        assert.deepEqual([config.rawConfig, config.token], [kubeconfig, "t0ken"]);
        assert.deepEqual(await volume.invoke(GET_CLUSTER, { name }), await again(name));
      });
    }

    const again = (name: string) => volume.invoke(GET_CLUSTER, { name });

    it("gives each cluster an id of its own", async () => {
      const ids = await Promise.all(
        ["liberty", "yonks"].map(async (n) => (await again(n)).values.id),
      );
      assert.notEqual(ids[0], ids[1]);
    });

    it("marks nothing as secret, as the real bridge does: the program has to", async () => {
      assert.equal((await again("liberty")).secrets.size, 0);
    });

    it("knows no other cluster", async () => {
      await assert.rejects(again("nope"), /Unable to find cluster with name: nope .*liberty/);
      process.env.MATOMO_LOCAL_DOKS = "fourth";
      assert.equal((await again("fourth")).values.name, "fourth");
    });

    it("says what is wrong with its environment", async () => {
      delete process.env.MATOMO_LOCAL_KUBECONFIG;
      await assert.rejects(again("liberty"), /MATOMO_LOCAL_KUBECONFIG is not set/);
    });
  });
});
