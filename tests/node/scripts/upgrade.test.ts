/**
 * A new image version: new code, core:update, state kept; a failing update leaves the old state
 * restorable and says so; third-party plugins survive (decision 1, incident 20).
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { restateVersion, statedVersion } from "../version";
import { DIST, HOST, REAL, Site, WEB_USER } from "./site";

/** A copy of the code that calls itself a newer version, with an update for each version that runs some SQL. */
function newer(site: Site, version: string, updates: Record<string, string>): string {
  const code = path.join(site.sandbox.dir, `code-${version}-${Date.now()}`);
  fs.cpSync(DIST, code, { recursive: true });
  restateVersion(code, version);
  for (const [step, sql] of Object.entries(updates)) {
    const name = `Updates_${step.replace(/[.-]/g, "_")}`;
    fs.writeFileSync(
      path.join(code, `core/Updates/${step}.php`),
      REAL
        ? `<?php
namespace Piwik\\Updates;
class ${name} extends \\Piwik\\Updates {
  public function doUpdate(\\Piwik\\Updater $updater) { \\Piwik\\Db::query("${sql}"); }
}`
        : `<?php \\Piwik\\Db::query("${sql}");`,
    );
  }
  return code;
}
/** SQL of an update that fails. */
const FAILS = "ALTER TABLE matomo_no_such_table ADD x INT";
/** SQL of one that ends well. */
const column = (name: string) => `ALTER TABLE matomo_site ADD COLUMN IF NOT EXISTS ${name} INT`;

describe("a new version", () => {
  const site = new Site();
  const old = statedVersion(DIST);
  const later = (patches: number) =>
    old.replace(/\d+$/, (patch) => String(Number(patch) + patches));
  const next = later(1);
  /** Code whose update fails when the first of two steps is done already. */
  const halfWay = (version: string) =>
    newer(site, version, { [`${version}-b1`]: column("half"), [version]: FAILS });
  const recorded = () =>
    site.value("SELECT option_value FROM matomo_option WHERE option_name = 'version_core'");
  before(async () => {
    await site.start();
    await site.up();
    const url = "http://matomo:8082/matomo.php?idsite=1&rec=1&url=https%3A%2F%2Fexample.com%2F";
    assert.equal((await site.http("GET", url)).status, 200);
    await site.console("config:set", "--section=mail", "--key=host", "--value=smtp.example.com");
    const plugin = site.path("state", "plugins/Extra");
    fs.mkdirSync(plugin);
    fs.writeFileSync(
      path.join(plugin, "plugin.json"),
      '{"name": "Extra", "description": "x", "version": "1.0.0", "require": {"matomo": ">=5.0.0-b1,<6.0.0-b1"}}',
    );
    fs.writeFileSync(
      path.join(plugin, "Extra.php"),
      "<?php\nnamespace Piwik\\Plugins\\Extra;\nclass Extra extends \\Piwik\\Plugin {}\n",
    );
    spawnSync("chown", ["-R", `${WEB_USER}:${WEB_USER}`, plugin]);
    const backup = await site.backup();
    assert.equal(backup.status, 0, backup.output);
    await site.stopWeb();
  });
  after(() => site.dispose());

  it("whose update fails keeps the old state, and says how to go back", async () => {
    const config = fs.readFileSync(site.path("state", "config/config.ini.php"), "utf8");
    site.code = newer(site, next, { [next]: FAILS });
    assert.equal((await site.layout()).status, 0);
    const { status, output } = await site.install();
    assert.equal(status, 1, output);
    assert.match(output, new RegExp(`core:update from ${old} to ${next} failed`));
    assert.match(output, new RegExp(`setting the image to ${old}`));
    assert.equal(await recorded(), old);
    const kept = site.path("state", `.matomo/before-${next}/config.ini.php`);
    assert.equal(fs.readFileSync(kept, "utf8"), config);
  });

  it("that failed goes back by the old image alone", async () => {
    site.code = DIST;
    assert.equal((await site.layout()).status, 0);
    const { status, output } = await site.install();
    assert.equal(status, 0, output);
    assert.equal(await site.value("SELECT COUNT(*) FROM matomo_log_visit"), "1");
  });

  it("that failed half way has the old image refuse, until the backup is restored", async () => {
    site.code = halfWay(next);
    assert.equal((await site.layout()).status, 0);
    const failed = await site.install();
    assert.equal(failed.status, 1, failed.output);
    assert.match(failed.output, /core:update from .* failed.*restoring the last proven backup/);
    assert.equal(await recorded(), `${next}-b1`);
    site.code = DIST;
    assert.equal((await site.layout()).status, 0);
    const refused = await site.install();
    assert.equal(refused.status, 1, refused.output);
    assert.match(
      refused.output,
      new RegExp(`the image holds ${old}.* or restore a backup of ${old}`),
    );
    const told = { RESTORE_OVERWRITE: "yes", RESTORE_CONFIRM: HOST };
    for (const step of [
      () => site.restore({ BACKUP: "newest", ...told }),
      () => site.layout(),
      () => site.install(),
    ]) {
      const { status, output } = await step();
      assert.equal(status, 0, output);
    }
    assert.equal(await recorded(), old);
    assert.equal(await site.value("SHOW COLUMNS FROM matomo_site LIKE 'half'"), "");
    assert.equal(await site.value("SELECT COUNT(*) FROM matomo_log_visit"), "1");
  });

  it("replaces the code, updates the schema, and keeps what is the users'", async () => {
    site.code = newer(site, next, { [next]: column("upgraded") });
    fs.writeFileSync(site.path("html", "core/Stray.php"), "<?php");
    assert.equal((await site.layout()).status, 0);
    const { status, output } = await site.install();
    assert.equal(status, 0, output);
    assert.match(output, new RegExp(`Matomo ${old} becomes ${next}[^]*Matomo ${next} is ready`));
    assert.equal(await recorded(), next);
    assert.notEqual(await site.value("SHOW COLUMNS FROM matomo_site LIKE 'upgraded'"), "");
    assert.ok(!fs.existsSync(site.path("html", "core/Stray.php")));
    assert.ok(fs.existsSync(site.path("state", "plugins/Extra/Extra.php")));
    const config = fs.readFileSync(site.path("state", "config/config.ini.php"), "utf8");
    assert.match(config, /smtp\.example\.com/);
    await site.startWeb();
    assert.equal((await site.http("GET", "http://matomo:8082/index.php")).status, 200);
    await site.stopWeb();
  });

  it("is the only way: the older image is refused from now on", async () => {
    site.code = DIST;
    const { status, output } = await site.layout();
    assert.equal(status, 1);
    assert.match(output, new RegExp(`Matomo ${old} would replace ${next}, a downgrade`));
    site.code = newer(site, next, { [next]: "DO 1" });
    assert.equal((await site.layout()).status, 0);
  });

  it("that failed half way goes on where it was with a fixed image", async () => {
    const version = later(2);
    site.code = halfWay(version);
    assert.equal((await site.layout()).status, 0);
    assert.equal((await site.install()).status, 1);
    const steps = { [`${version}-b1`]: FAILS, [version]: column("whole") };
    site.code = newer(site, version, steps);
    for (const step of [await site.layout(), await site.install()]) {
      assert.equal(step.status, 0, step.output);
    }
    assert.equal(await recorded(), version);
    assert.notEqual(await site.value("SHOW COLUMNS FROM matomo_site LIKE 'whole'"), "");
    await site.startWeb();
    assert.equal((await site.http("GET", "http://matomo:8082/index.php")).status, 200);
    await site.stopWeb();
  });

  it("finds a plugin on the volume, activates it, and keeps it active", async () => {
    const activate = await site.console("plugin:activate", "Extra");
    assert.equal(activate.status, 0, activate.output);
    for (const step of [await site.layout(), await site.install()]) {
      assert.equal(step.status, 0, step.output);
    }
    assert.match((await site.console("plugin:list")).output, /Extra[^\n]*Activated/);
  });

  if (REAL) {
    it("installs a plugin from the UI onto the volume, and uninstalls it from there", async () => {
      // What the Marketplace does once it has downloaded a plugin.
      const copy = `
        define("PIWIK_DOCUMENT_ROOT", "/var/www/html"); define("PIWIK_INCLUDE_PATH", "/var/www/html");
        require "/var/www/html/bootstrap.php"; require "/var/www/html/core/bootstrap.php";
        (new Piwik\\Application\\Environment("cli"))->init();
        $installer = (new ReflectionClass("Piwik\\Plugins\\CorePluginsAdmin\\PluginInstaller"));
        $object = $installer->newInstanceWithoutConstructor();
        $name = $installer->getProperty("pluginName"); $name->setAccessible(true); $name->setValue($object, "Second");
        $method = $installer->getMethod("copyPluginToDestination"); $method->setAccessible(true);
        $method->invoke($object, "/tmp/download");`;
      const download = site.path("webTmp", "download/Second");
      fs.mkdirSync(download, { recursive: true });
      const source = (text: string) => text.replaceAll("Extra", "Second");
      for (const file of ["plugin.json", "Extra.php"]) {
        const text = fs.readFileSync(site.path("state", "plugins/Extra", file), "utf8");
        fs.writeFileSync(path.join(download, source(file)), source(text));
      }
      const installed = await site.exec("php", "-r", copy);
      assert.equal(installed.status, 0, installed.output);
      assert.ok(fs.existsSync(site.path("state", "plugins/Second/Second.php")));
      assert.equal((await site.console("plugin:activate", "Second")).status, 0);
      assert.equal((await site.console("plugin:deactivate", "Second")).status, 0);
      const gone = await site.console("plugin:uninstall", "Second");
      assert.equal(gone.status, 0, gone.output);
      assert.ok(!fs.existsSync(site.path("state", "plugins/Second/Second.php")));
    });
  }
});
