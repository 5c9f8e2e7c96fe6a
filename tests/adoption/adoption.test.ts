/**
 * Issue 9, section 1: a site that real Helm 4 installed is rehearsed, adopted, deployed, and given
 * back. One site, from the first test to the last.
 */
import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { after, before, describe, it } from "mocha";
import type { Journal } from "../../fleet/adoption/journal";
import { planText } from "../../fleet/adoption/plan";
import { omit } from "../../fleet/adoption/shape";
import { type Live, outputOf, printed, uids, wanted } from "../api/harness";
import { type AdoptionBench, releasedSite } from "./bench";
import { releases } from "./helm";

describe("adoption of a Helm release", () => {
  let bench: AdoptionBench;
  let released: Live[];
  let volumes: Record<string, string>;
  let journal: Journal;
  const said: string[] = [];

  before(async () => {
    bench = await releasedSite();
    released = await bench.objects();
    volumes = await bench.volumes();
  });
  after(() => bench?.site.close());

  it("a rehearsal says what would be done to every object, and touches nothing", async () => {
    const state = await bench.site.state();
    const { plan } = await bench.rehearse();
    said.push(planText(plan), JSON.stringify(plan));
    assert.deepEqual(plan.blockers, []);
    const objects = (action: string) =>
      plan.entries.filter((entry) => entry.action === action).map(({ object }) => object);
    assert.deepEqual(objects("adopt").sort(), [
      "PersistentVolumeClaim/data-matomo-mariadb-0",
      "PersistentVolumeClaim/matomo",
      "PersistentVolumeClaim/matomo-backup",
      "Role/matomo-backup",
      "RoleBinding/matomo-backup",
    ]);
    const taken = [...objects("adopt"), ...objects("change")];
    // The release's objects, the claim that the StatefulSet made, and the namespace.
    assert.equal(taken.length, 21);
    assert.ok(objects("create").includes("NetworkPolicy/matomo-default-deny"));
    assert.deepEqual([...objects("delete"), ...objects("leave")], []);
    const deployment = plan.entries.find(({ object }) => object === "Deployment/matomo")!;
    const strategy = deployment.changes.find(({ path }) => path === "spec.strategy.type");
    assert.deepEqual([strategy?.before, strategy?.after], ["RollingUpdate", "Recreate"]);

    assert.equal(await bench.site.state(), state);
    assert.deepEqual(wanted(await bench.objects()), wanted(released));
  });

  it("the plan shows changes, and not what Kubernetes filled in", async () => {
    const { plan } = await bench.rehearse();
    const paths = plan.entries.flatMap(({ changes }) => changes.map(({ path }) => path));
    for (const filled of ["dnsPolicy", "schedulerName", "clusterIP", "volumeMode", "finalizers"]) {
      assert.deepEqual(
        paths.filter((at) => at.includes(filled)),
        [],
      );
    }
  });

  it("is done in an order that loses nothing", async () => {
    journal = await bench.adopt();
    said.push(bench.steps.join("\n"));
    const first = (words: RegExp) => {
      const at = bench.steps.findIndex((step) => words.test(step));
      assert.notEqual(at, -1, `${words} in ${bench.steps.join("; ")}`);
      return at;
    };
    const order = [/^saving/, /into the state/, /^marking/, /^handing over/, /^preview/];
    const then = [/^proven backup/, /^up of/, /^comparing/, /^removing Helm's record/];
    const positions = [...order, ...then].map(first);
    assert.deepEqual(
      positions,
      [...positions].sort((a, b) => a - b),
    );
    assert.equal(bench.steps.filter((step) => step.startsWith("handing over")).length, 21);
  });

  it("the engine saw what the plan said: the same objects new, none replaced or deleted", async () => {
    const [{ steps }] = bench.previews;
    const objects = steps.filter(({ type }) => type.startsWith("kubernetes:"));
    const count = (op: string) => objects.filter((step) => step.op === op).length;
    assert.deepEqual([count("create"), count("update")], [11, 21]);
    assert.equal(objects.length, 32);
  });

  it("every object is the one that it was, volumes included", async () => {
    const before = uids(released.filter(({ type }) => type !== "helm.sh/release.v1"));
    const now = uids(await bench.objects());
    for (const [object, uid] of Object.entries(before)) assert.equal(now[object], uid, object);
    assert.deepEqual(await bench.volumes(), volumes);
  });

  it("the live passwords are the stack's own", async () => {
    const { admin, database, root } = bench.passwords;
    const site = await bench.site.secret("matomo");
    assert.equal(site["matomo-password"], admin);
    assert.match(site["archive-token"], /^[0-9a-f]{32}$/);
    assert.deepEqual(await bench.site.secret("matomo-mariadb"), {
      "mariadb-username": "mariadb-admin",
      "mariadb-password": database,
      "mariadb-root-password": root,
    });
  });

  it("Recreate, restricted, and no label of Helm's is left", async () => {
    const { spec } = await bench.site.get("deployment", "matomo");
    assert.deepEqual(spec.strategy, { type: "Recreate" });
    for (const { kind, metadata } of await bench.objects()) {
      const { labels = {}, annotations = {}, managedFields = [] } = metadata!;
      const books = JSON.stringify([labels, annotations]);
      assert.doesNotMatch(books, /helm/i, `${kind}/${metadata!.name}`);
      const managers = managedFields.map(({ manager }) => manager);
      assert.ok(!managers.includes("helm"), `${kind}/${metadata!.name}: ${managers.join()}`);
    }
  });

  it("Helm knows nothing of it any more", async () => {
    assert.deepEqual(await releases(bench.site.cluster.kubeconfig), []);
  });

  it("the next up changes nothing", () => bench.site.expectUnchanged());

  it("what was before is in a file of its owner alone", async () => {
    const file = bench.journalPath;
    assert.equal((await fs.stat(file)).mode & 0o777, 0o600);
    assert.equal((await fs.stat(path.dirname(file))).mode & 0o777, 0o700);
    assert.ok(journal.finished);
  });

  it("no password is in the state, a backup of it, the output, the plan or a command line", async () => {
    const secrets = Object.entries(await bench.site.passwords());
    assert.equal(secrets.length, 5);
    const clean = (text: string, where: string) => {
      for (const [name, value] of secrets) {
        for (const form of [value, Buffer.from(value).toString("base64")]) {
          assert.ok(!text.includes(form), `${name} in ${where}`);
        }
      }
    };
    const shown = await bench.site.pulumi(["stack", "export", "--show-secrets"]);
    assert.throws(() => clean(shown.stdout, "the search finds what is there"));
    const backend = path.join(bench.site.folder, "backend");
    const files = await fs.readdir(backend, { recursive: true, withFileTypes: true });
    const names = files.filter((f) => f.isFile()).map((f) => path.join(f.parentPath, f.name));
    assert.ok(names.some((name) => name.endsWith(".bak")));
    for (const name of names) clean(await fs.readFile(name, "utf8"), name);
    clean(await fs.readFile(bench.journalPath, "utf8"), "the saved file");
    clean(said.join("\n"), "the plan and the steps");
    clean(bench.commands.flat().join("\n"), "a command line in a pod");
    clean(printed().replace(shown.stdout, ""), "what the engine printed");
    assert.ok(bench.commands.length > 0 && said.length > 2);
  });

  it("adopting it again is refused: there is nothing to adopt", async () => {
    await assert.rejects(bench.adopt(), /nothing to adopt/);
  });

  it("undo gives it back: objects, records and state are what they were", async () => {
    const values = await bench.site.passwords();
    await bench.undo();
    assert.deepEqual(await releases(bench.site.cluster.kubeconfig), ["matomo"]);
    assert.deepEqual(asReleased(await bench.objects()), asReleased(released));
    assert.deepEqual(await bench.volumes(), volumes);
    assert.equal((await bench.resources()).length, 0);
    const site = await bench.site.secret("matomo");
    const database = await bench.site.secret("matomo-mariadb");
    assert.equal(site["matomo-password"], values["matomo/matomo-password"]);
    assert.equal(database["mariadb-password"], values["matomo-mariadb/mariadb-password"]);
  });

  it("and an up refuses it again", async () => {
    const result = await bench.site.attempt(["up", "--yes", "--skip-preview"]);
    assert.notEqual(result.exitCode, 0);
    assert.match(outputOf(result), /npm run fleet -- adopt liberty/);
  });
});

/** Each object with who set what, and without what the API server counts and times. */
function asReleased(objects: Live[]): Record<string, unknown> {
  const entries = objects
    // The certificate's issuer has given it a Secret meanwhile.
    .filter(({ type }) => type !== "kubernetes.io/tls")
    .map((object) => {
      const { name, labels = {}, annotations = {}, managedFields = [] } = object.metadata!;
      const managers = managedFields
        .filter(({ subresource }) => !subresource)
        .map((entry) => omit(entry, "time"));
      const own = omit(annotations, "deployment.kubernetes.io/revision");
      const isRecord = object.type === "helm.sh/release.v1";
      const content = omit(object, "metadata", "status");
      const title = `${object.kind}/${name}`;
      return [title, { content, labels, annotations: own, managers: isRecord ? [] : managers }];
    });
  return Object.fromEntries(entries);
}
