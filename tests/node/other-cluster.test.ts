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
import { emptyNode, HOST, KEPT_PLUGIN, type NodeSite, sharedSite } from "./harness";

/** A person with a token of her own. */
const GRACE = { login: "grace", token: "fedcba9876543210fedcba9876543210" };

describe("the loss of a whole cluster", () => {
  let old: NodeSite;
  let site: NodeSite;
  let name: string;
  let rows: string;

  before(async () => {
    old = await sharedSite();
    await old.shell("web", `php <<'PHP'\n${ADD_GRACE}\nPHP`);
    await old.shell(
      "web",
      `mkdir -p /state/plugins/Kept && cd /state/plugins/Kept && ${KEPT_PLUGIN} && ` +
        "echo logo >/state/misc/user/logo.png && cd /var/www/html && php console plugin:activate Kept && " +
        "php console config:set --section=mail --key=host --value=smtp.example.com",
    );
    assert.deepEqual([await works(old), await works(old, GRACE.token)], [[1], [1]]);
    const backup = await old.runJob("matomo-backup", "backup-whole");
    assert.ok(backup.succeeded, backup.log);
    [, name] = /(\d{4}-\d\d-\d\dT\d{6}Z)/.exec(backup.log) ?? assert.fail(backup.log);
    rows = await tables(old);
  });
  after(async () => {
    for (const table of ["user", "user_token_auth"]) {
      await old?.query(`DELETE FROM matomo_${table} WHERE login = '${GRACE.login}'`);
    }
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

  it("is restored by its name: every table, users, tokens, plugins and settings", async () => {
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
    assert.deepEqual(await tables(site), rows);
    assert.deepEqual([await works(site), await works(site, GRACE.token)], [[1], [1]]);
    const files = ["misc/user/logo.png", "config/config.ini.php"];
    const there = await site.shell("web", `cd /var/www/html && cat ${files.join(" ")}`);
    assert.match(there, /^logo$/m);
    assert.match(there, /host = "?smtp\.example\.com/);
    const plugins = await site.shell("web", "cd /var/www/html && php console plugin:list");
    assert.match(plugins, /Kept[^\n]*Activated/);
    assert.equal(await site.track("back-again"), 200);
    await site.expectUnchanged();
  });
});

function works(site: NodeSite, token?: string): Promise<unknown> {
  return site.api("SitesManager.getAllSitesId", token ? { token_auth: token } : {});
}

/**
 * Rows and checksum of every table but those in which a new cluster's web pod writes at its start: the
 * restore itself has compared these.
 */
async function tables(site: NodeSite): Promise<string> {
  const names = await site.query(
    "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() ORDER BY 1",
  );
  const list = names.split("\n").filter((table) => !OWN.includes(table));
  const counts = list.map((table) => `SELECT '${table}', COUNT(*) FROM ${table}`);
  return site.query(`${counts.join(" UNION ALL ")}; CHECKSUM TABLE ${list.join()}`);
}
const OWN = ["matomo_option", "matomo_session", "matomo_user", "matomo_user_token_auth"];

const ADD_GRACE = `<?php
foreach (["DOCUMENT_ROOT", "INCLUDE_PATH", "USER_PATH"] as $path) { define("PIWIK_$path", "/var/www/html"); }
foreach (["DISPATCH", "SESSION_START", "ERROR_HANDLER"] as $part) { define("PIWIK_ENABLE_$part", false); }
require "/var/www/html/bootstrap.php";
require "/var/www/html/core/bootstrap.php";
(new Piwik\\Application\\Environment("cli"))->init();
Piwik\\Plugin\\Manager::getInstance()->loadActivatedPlugins();
Piwik\\Access::doAsSuperUser(static function (): void {
    $login = "${GRACE.login}";
    Piwik\\Plugins\\UsersManager\\API::getInstance()->addUser($login, "graces-password", "grace@example.com");
    (new Piwik\\Plugins\\UsersManager\\UserUpdater())->setSuperUserAccessWithoutCurrentPassword($login, true);
    (new Piwik\\Plugins\\UsersManager\\Model())->addTokenAuth($login, "${GRACE.token}", "hers", gmdate("Y-m-d H:i:s"));
});`;
