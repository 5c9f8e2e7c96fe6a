/**
 * The loss of a whole cluster, by the commands of docs/operations.md: a new one, an empty namespace, and
 * one folder of the old backup volume bring the site back.
 */
import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";
import { openSite } from "../../local/node/site";
import { checkout } from "../../local/paths";
import { benchOf } from "../fleet/bench";
import { within } from "../waits";
import { assertBroughtBack, type Belongings, belongings, furnish, takeAway } from "./furniture";
import { emptyNode, HOST, type NodeSite, sharedSite } from "./harness";

describe("the loss of a whole cluster", () => {
  let old: NodeSite;
  let site: NodeSite;
  let name: string;
  let backedUp: Belongings;

  before(async () => {
    old = await sharedSite();
    await furnish(old);
    const backup = await old.runJob("matomo-backup", "backup-whole");
    assert.ok(backup.succeeded, backup.log);
    [, name] = /(\d{4}-\d\d-\d\dT\d{6}Z)/.exec(backup.log) ?? assert.fail(backup.log);
    backedUp = await belongings(old);
  });
  after(async () => {
    if (old) await takeAway(old);
    await site?.close();
  });

  it("a new stack has an empty site of its own", async () => {
    site = await emptyNode();
    await site.up();
    site.url = await openSite(site.cluster);
    assert.equal(await site.track("before-the-restore"), 200);
  });

  it("a folder of the old backup volume goes onto the new one", async () => {
    const page = fs.readFileSync(path.join(checkout, "docs", "operations.md"), "utf8");
    const [, manifest] = /^ {3}```yaml\n(.*?)^ {3}```$/ms.exec(page)!;
    const copy = ["-n", "matomo", "copy-backup"];
    for (const { cluster } of [old, site]) {
      await cluster.kubectl(["create", "-f", "-"], manifest);
      const ready = ["--for=condition=Ready", "pod/copy-backup", within("podReady")];
      await cluster.kubectl(["wait", "-n", "matomo", ...ready]);
    }
    const exec = ["exec", "-i", ...copy, "--", "bash", "-c"];
    const archive = `tar --create --directory=/backup ${name} | base64`;
    const packed = await old.cluster.kubectl([...exec, archive]);
    await site.cluster.kubectl(
      [...exec, "base64 --decode | tar --extract --directory=/backup"],
      packed,
    );
    for (const { cluster } of [old, site])
      await cluster.kubectl(["delete", "pod", ...copy, "--now"]);
  });

  it("is restored by its name: every table, users, tokens, goals, plugins, settings and uploads", async () => {
    const bench = await benchOf(site);
    const { backups } = await bench.json("backups", "local");
    assert.deepEqual(
      backups.map((backup: { name: string }) => backup.name),
      [name],
    );
    const told = ["--yes", `--overwrite=${HOST}`];
    const { exitCode, stdout, stderr } = await bench.run(
      "restore",
      "local",
      `--from=${name}`,
      ...told,
    );
    assert.equal(exitCode, 0, stdout + stderr);
    await site.webReady();
    await assertBroughtBack(site, backedUp);
    assert.equal(await site.track("back-again"), 200);
    await site.expectUnchanged();
  });
});
