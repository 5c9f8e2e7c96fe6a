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
import { checkout } from "../../local/paths";
import { type Live, outputOf, printed, uids, wanted } from "../api/harness";
import { FleetBench } from "../fleet/bench";
import { Volumes } from "../fleet/volumes";
import { within } from "../waits";
import { type AdoptionBench, asReleased, releasedSite } from "./bench";
import { releases } from "./helm";

describe("adoption of a Helm release", () => {
  let bench: AdoptionBench;
  let released: Live[];
  let volumes: Awaited<ReturnType<AdoptionBench["volumes"]>>;
  let journal: Journal;
  const said: string[] = [];

  before(async () => {
    bench = await releasedSite();
    // As somebody does who keeps a copy of the Secret in a file: kubectl keeps the values once more.
    const secret = await bench.site.get("secret", "matomo-mariadb");
    const { name, namespace, labels } = secret.metadata!;
    const copy = { ...secret, metadata: { name, namespace, labels } };
    await bench.site.cluster.kubectl(["apply", "-f", "-"], JSON.stringify(copy));
    // What the old chart's jobs called done.
    for (const job of ["archive", "backup"]) {
      const [from, where] = [`--from=cronjob/matomo-${job}`, ["-n", "matomo"]];
      await bench.site.kubectl("create", "job", `old-${job}`, from, ...where);
      const done = ["--for=condition=Complete", within("jobEnds")];
      await bench.site.kubectl("wait", `job/old-${job}`, ...done, ...where);
    }
    released = await bench.objects();
    volumes = await bench.volumes();
    assert.ok(Object.values(volumes).every(({ policy }) => policy === "Delete"));
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
    const isVolume = (object: string) => object.startsWith("PersistentVolume/");
    assert.equal(objects("change").filter(isVolume).length, 3);
    const taken = [...objects("adopt"), ...objects("change")].filter((one) => !isVolume(one));
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

  it("the plan reads as docs/adoption.md shows it", async () => {
    const page = await fs.readFile(path.join(checkout, "docs/adoption.md"), "utf8");
    const [, shown] = /shortened in the middle:\n\n```\n(.*?)\n\nThis was a rehearsal/s.exec(page)!;
    const lines = (text: string) => text.replace(/pvc-[0-9a-f-]{36}/g, "pvc-ID").split("\n");
    const { plan } = await bench.rehearse();
    const printed = lines(planText(plan));
    let at = -1;
    for (const line of lines(shown)) {
      at = printed.indexOf(line, at + 1);
      assert.notEqual(at, -1, `${line}\nis not, or not there, in\n${printed.join("\n")}`);
    }
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
    const order = [/^saving/, /^PersistentVolume.*Retain/, /into the state/, /^marking/];
    order.push(/^proven backup/, /^handing over/);
    const then = [/^preview/, /^up of/, /^comparing/, /^removing Helm's record/];
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
    const kept = await bench.volumes();
    for (const [claim, { uid }] of Object.entries(volumes)) {
      assert.deepEqual(kept[claim], { uid, policy: "Retain" });
    }
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

  it("its status counts no job of the old chart's", async () => {
    const { stdout } = await bench.start(undefined, "status", "liberty", "--no-drift", "--json");
    const [{ archive, backup }] = JSON.parse(String(stdout)).stacks;
    for (const { success, overdue } of [archive, backup]) {
      assert.deepEqual([success, overdue], [undefined, false]);
    }
  });

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

  /** On a terminal, as a person undoes it. */
  async function undo(answer: string): Promise<{ shown: string; exitCode?: number }> {
    const asks = /Undo of the adoption of stack liberty.*Give the site back to Helm\?\s+Type yes/s;
    const command = new FleetBench(bench.site, bench.stacks, {});
    return command.onTerminal([[asks, `${answer}\r`]], "adopt", "liberty", "--undo");
  }

  it("undo asks first, and any other answer than yes touches nothing", async () => {
    const before_ = wanted(await bench.objects());
    const { shown, exitCode } = await undo("Yes");
    assert.equal(exitCode, 1, shown);
    assert.match(shown, /Nothing was touched\./);
    assert.deepEqual(wanted(await bench.objects()), before_);
  });

  it("undo gives it back: objects, records and state are what they were", async () => {
    const values = await bench.site.passwords();
    const { shown, exitCode } = await undo("yes");
    assert.equal(exitCode, 0, shown);
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

  it("a backup claim whose volume the driver lost is in the way, and no repair takes it away", async () => {
    await new Volumes(bench.site).lose("matomo-backup");
    const before_ = await bench.site.get("pvc", "matomo-backup");
    assert.equal(before_.status.phase, "Bound");
    const { plan } = await bench.rehearse();
    assert.match(
      plan.blockers.join(),
      /^claim matomo-backup has lost its volume \(.*DigitalOcean has no Volume pvc-.*kubectl -n matomo delete pvc matomo-backup$/,
    );
    await assert.rejects(bench.adopt(), /has lost its volume/);
    const repair = ["repair-volume", "liberty", "backup", "--yes"];
    const { exitCode, stderr } = await bench.start(undefined, ...repair);
    assert.equal(exitCode, 2, String(stderr));
    assert.match(String(stderr), /does not have the site\. Nothing was touched: .*fleet -- adopt/);
    const { metadata } = await bench.site.get("pvc", "matomo-backup");
    assert.equal(metadata!.resourceVersion, before_.metadata!.resourceVersion);
  });
});
