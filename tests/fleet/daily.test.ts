/** `drift`, `credentials`, `init` and `cleanup-helm`. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { type FleetBench, sharedBench } from "./bench";

describe("fleet drift", () => {
  let bench: FleetBench;

  before(async () => {
    ({ bench } = await sharedBench());
  });

  it("is silent after an up", async () => {
    const { stacks } = await bench.json("drift", "liberty");
    assert.deepEqual(stacks, [{ stack: "liberty", drift: [] }]);
  });

  it("says each object and field, with no secret, and changes nothing", async () => {
    const { site } = bench;
    const patch = (kind: string, name: string, body: object) =>
      site.kubectl(
        ...["patch", kind, name, "-n", "matomo", "--type=merge", "-p", JSON.stringify(body)],
      );
    const password = (await site.secret("matomo"))["matomo-password"];
    try {
      await patch("secret", "matomo", { stringData: { "matomo-password": "changed-by-hand" } });
      await patch("deployment", "matomo", { spec: { revisionHistoryLimit: 9 } });
      await site.kubectl("delete", "poddisruptionbudget", "matomo", "-n", "matomo");
      const { stdout, stderr, exitCode } = await bench.run("drift", "liberty");
      assert.equal(exitCode, 1);
      assert.match(stdout, /^liberty +yes +3$/m);
      assert.match(stdout, /PodDisruptionBudget matomo: is gone/);
      assert.match(stdout, /Deployment matomo spec\.revisionHistoryLimit: was \d+, is 9/);
      assert.match(stdout, /Secret matomo data\.matomo-password: was "\[secret\]"/);
      const clear = [password, "changed-by-hand"];
      const encoded = clear.map((text) => Buffer.from(text).toString("base64"));
      for (const text of [...clear, ...encoded]) assert.ok(!`${stdout}${stderr}`.includes(text));
      const { spec } = await site.get("deployment", "matomo");
      assert.equal(spec.revisionHistoryLimit, 9);
    } finally {
      await patch("secret", "matomo", { stringData: { "matomo-password": password } });
      await patch("deployment", "matomo", { spec: { revisionHistoryLimit: 3 } });
      await site.pulumi(["up", "--yes", "--skip-preview", "--refresh", "--run-program"]);
    }
  });

  it("prints the password only where it is asked to", async () => {
    const hidden = await bench.run("credentials", "liberty");
    assert.equal(hidden.exitCode, 2);
    assert.equal(hidden.stdout, "");
    const shown = await bench.json("credentials", "liberty", "--show");
    const secret = await bench.site.secret("matomo");
    assert.equal(shown.password, secret["matomo-password"]);
    assert.equal(shown.username, "admin");
  });

  it("makes a new stack's file once, and none with a fault", async () => {
    const file = path.join(bench.stacks, "Pulumi.paris.yaml");
    const init = (domain: string) =>
      bench.run(
        ...[
          "init",
          "paris",
          "--domain",
          domain,
          "--email",
          "a@example.com",
          "--cluster",
          "personal",
        ],
      );
    try {
      const faulty = await init("Paris");
      assert.equal(faulty.exitCode, 2);
      assert.match(faulty.stderr, /matomo:domain: found "Paris"; allowed: a host name/);
      assert.ok(!existsSync(file));
      const made = await init("matomo.paris.example.com");
      assert.equal(made.exitCode, 0, made.stderr);
      const text = await fs.readFile(file, "utf8");
      const again = await init("other.paris.example.com");
      assert.equal(again.exitCode, 2);
      assert.equal(await fs.readFile(file, "utf8"), text);
    } finally {
      await fs.rm(file, { force: true });
    }
  });

  it("removes old Helm records of any namespace, a dry run first, never the deployed one", async () => {
    const { site } = bench;
    const record = (revision: number, status: string) => ({
      apiVersion: "v1",
      kind: "Secret",
      type: "helm.sh/release.v1",
      metadata: {
        name: `sh.helm.release.v1.vaultwarden.v${revision}`,
        namespace: "other",
        labels: { owner: "helm", name: "vaultwarden", status, version: String(revision) },
      },
    });
    const statuses = ["deployed", "superseded", "superseded", "failed", "superseded", "failed"];
    const items = statuses.map((status, i) => record(i + 1, status));
    const list = JSON.stringify({ apiVersion: "v1", kind: "List", items });
    const left = async () => {
      const names = await site.kubectl("get", "secrets", "-n", "other", "-o", "name");
      return names.match(/v\d+$/gm);
    };
    try {
      await site.kubectl("create", "namespace", "other");
      await site.cluster.kubectl(["create", "-f", "-"], list);
      const dry = await bench.run("cleanup-helm", "liberty", "--keep", "3");
      assert.equal(dry.exitCode, 0, dry.stderr);
      assert.match(dry.stdout, /^liberty +other +vaultwarden +2 +superseded$/m);
      assert.match(dry.stdout, /^2 records would be removed: say --yes$/m);
      assert.deepEqual(await left(), ["v1", "v2", "v3", "v4", "v5", "v6"]);
      const done = await bench.run("cleanup-helm", "liberty", "--keep", "3", "--yes");
      assert.equal(done.exitCode, 0, done.stderr);
      assert.deepEqual(await left(), ["v1", "v4", "v5", "v6"]);
    } finally {
      await site.kubectl("delete", "namespace", "other", "--wait=false");
    }
  });
});
