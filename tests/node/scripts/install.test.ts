/**
 * The unattended install: idempotent, survives being killed, keeps what people saved, sets again
 * what the program owns, never goes back (decisions 1 and 3; incidents 8, 9, 12, 17, 20).
 */
import assert from "node:assert/strict";
import * as fs from "node:fs";
import { compareVersions } from "../../../components/versions";
import { drawn } from "../../soak";
import { eventually } from "../../waits";
import { statedVersion } from "../version";
import type { Running } from "./sandbox";
import { ARCHIVE_TOKEN, DIST, HOST, Site, WEB_USER } from "./site";

/** Matomo knows them, and a schema of MariaDB's, since 5.2. */
const KNOWS_COLLATIONS = compareVersions(statedVersion(DIST), "5.2.0") >= 0;

/** Counts of what must never be doubled. */
async function census(site: Site): Promise<string> {
  return site.value(`SELECT
    (SELECT COUNT(*) FROM matomo_user), (SELECT COUNT(*) FROM matomo_site),
    (SELECT COUNT(*) FROM matomo_user_token_auth),
    (SELECT COUNT(*) FROM matomo_user WHERE superuser_access = 1)`);
}
const ONCE = "2\t1\t2\t1";

function config(site: Site): string {
  return fs.readFileSync(site.path("state", "config/config.ini.php"), "utf8");
}
function write(site: Site, file: string, text: string): void {
  fs.mkdirSync(site.path("state", file, ".."), { recursive: true });
  fs.writeFileSync(site.path("state", file), text);
  fs.chownSync(site.path("state", file), WEB_USER, WEB_USER);
}
async function ok(result: Promise<{ status: number | null; output: string }>): Promise<string> {
  const { status, output } = await result;
  assert.equal(status, 0, output);
  return output;
}

describe("install", () => {
  const site = new Site();
  before(async () => {
    await site.start();
    await site.startDatabase();
  });
  after(() => site.dispose());

  it("makes schema, administrator, token and first website, with no human step", async () => {
    await ok(site.layout());
    const output = await ok(site.install());
    assert.match(output, /made the administrator admin[^]*made the website Website/);
    assert.equal(await census(site), ONCE);
    const row = "login, secure_only, description";
    assert.equal(
      await site.value(`SELECT ${row} FROM matomo_user_token_auth WHERE login = 'admin'`),
      "admin\t1\tArchive job of the cluster",
    );
    assert.equal(await site.value("SELECT main_url FROM matomo_site"), `https://${HOST}`);
    assert.match(config(site), /^charset = "utf8mb4"$/m);
    const since52 = [/^collation = "utf8mb4_\w+"$/m, /^schema = "Mariadb"$/m];
    for (const line of since52) assert.equal(line.test(config(site)), KNOWS_COLLATIONS, `${line}`);
    for (const name of ["matomo/matomo-password", "mariadb/mariadb-password"]) {
      assert.ok(!output.includes(site.secret(name)), "a password is in the log");
    }
  });

  it("changes nothing when it runs again, and again", async () => {
    const first = config(site);
    for (let run = 0; run < 2; run++) {
      await ok(site.layout());
      const output = await ok(site.install());
      assert.equal(output.trim().split("\n").length, 1, output);
    }
    assert.equal(await census(site), ONCE);
    assert.equal(config(site), first);
  });

  it("keeps what a person saved, and sets again what the program owns", async () => {
    const set = (section: string, key: string, value: string) =>
      ok(site.console("config:set", `--section=${section}`, `--key=${key}`, `--value=${value}`));
    await set("mail", "host", "smtp.example.com");
    await set("General", "force_ssl", "0");
    await set("General", "enable_auto_update", "1");
    await site.value(
      "REPLACE INTO matomo_option (option_name, option_value) VALUES ('enableBrowserTriggerArchiving', '1')",
    );
    const edited = config(site).replace(
      "[General]\n",
      '[General]\ntrusted_hosts[] = "second.example.net"\nproxy_client_headers[] = "HTTP_CLIENT_IP"\n',
    );
    write(site, "config/config.ini.php", edited);
    await ok(site.layout());
    const output = await ok(site.install());
    assert.match(output, /removed \[General\] proxy_client_headers/);
    const now = config(site);
    assert.match(now, /\[mail\][^[]*host = "smtp\.example\.com"/);
    assert.match(now, /trusted_hosts\[\] = "second\.example\.net"/);
    assert.match(now, new RegExp(`trusted_hosts\\[\\] = "${HOST}"`));
    assert.doesNotMatch(now, /force_ssl|enable_auto_update|proxy_client_headers/);
    assert.equal(
      await site.value(
        "SELECT option_value FROM matomo_option WHERE option_name = 'enableBrowserTriggerArchiving'",
      ),
      "0",
    );
  });

  it("sets the stack's own keys again at each start, and takes them out with the setting", async () => {
    const odd = "a \"b\" <c> & $d ; 'e' \\f ${HOME} ü";
    const asked = `
      define("PIWIK_DOCUMENT_ROOT", "/var/www/html"); define("PIWIK_INCLUDE_PATH", "/var/www/html");
      require "/var/www/html/bootstrap.php"; require "/var/www/html/core/bootstrap.php";
      (new Piwik\\Application\\Environment("cli"))->init();
      $config = Piwik\\Config::getInstance();
      echo json_encode([$config->General["odd"] ?? null, $config->General["list"] ?? null,
        (string) ($config->Tracker["window"] ?? ""), (string) ($config->Tracker["flag"] ?? "")]);`;
    const start = async (stated: object) => {
      site.configure(stated);
      await ok(site.layout());
      await ok(site.install());
      return JSON.parse(await ok(site.exec("php", "-r", asked))) as unknown;
    };
    const list = ["one", 'tw"o'];
    const stated = { General: { odd, list }, Tracker: { window: 1234, flag: true } };
    assert.deepEqual(await start({ config: stated }), [odd, list, "1234", "1"]);
    const saved = ["--section=Tracker", "--key=window", "--value=7"];
    await ok(site.console("config:set", ...saved));
    assert.deepEqual(await start({ config: stated }), [odd, list, "1234", "1"]);
    assert.deepEqual(await start({}), [null, null, "", ""]);
  });

  it("tells Matomo whether there is an internet, as the settings say it", async () => {
    const asked = `
      define("PIWIK_DOCUMENT_ROOT", "/var/www/html"); define("PIWIK_INCLUDE_PATH", "/var/www/html");
      require "/var/www/html/bootstrap.php"; require "/var/www/html/core/bootstrap.php";
      (new Piwik\\Application\\Environment("cli"))->init();
      echo Piwik\\Config::getInstance()->General["enable_internet_features"];`;
    for (const geoip of [true, false]) {
      site.configure({ geoip });
      await ok(site.layout());
      await ok(site.install());
      assert.equal(await ok(site.exec("php", "-r", asked)), geoip ? "1" : "0");
    }
    site.configure({});
    assert.doesNotMatch(config(site), /enable_internet_features/);
  });

  it("keeps a user that a person added, and the administrator's changed password", async () => {
    await site.value("UPDATE matomo_user SET password = 'changed' WHERE login = 'admin'");
    await ok(site.install());
    assert.equal(
      await site.value("SELECT password FROM matomo_user WHERE login = 'admin'"),
      "changed",
    );
  });

  it("gives no rights back that a person took, where somebody else has them", async () => {
    const rights = "SELECT login, superuser_access FROM matomo_user WHERE login <> 'anonymous'";
    await site.value(`INSERT INTO matomo_user (login, password, email, superuser_access)
      VALUES ('zoe', 'x', 'zoe@example.com', 1)`);
    await site.value("UPDATE matomo_user SET superuser_access = 0 WHERE login = 'admin'");
    assert.match(await ok(site.install()), /super users already \(zoe\); admin is not made one/);
    assert.equal(await site.value(rights), "admin\t0\nzoe\t1");
    const owner = "SELECT DISTINCT login FROM matomo_user_token_auth WHERE login <> 'anonymous'";
    assert.equal(await site.value(owner), "zoe");
    // Nobody has them: an install that was killed before it gave them, or a site without a way in.
    await site.value("DELETE FROM matomo_user WHERE login = 'zoe'");
    await ok(site.install());
    assert.equal(await site.value(rights), "admin\t1");
    assert.equal(await census(site), ONCE);
  });

  it("replaces a rotated archive token, so that the old one is invalid", async () => {
    const hash = () =>
      site.value("SELECT password FROM matomo_user_token_auth WHERE login = 'admin'");
    const old = await hash();
    site.sandbox.files("secrets/matomo", {
      "matomo-username": "admin",
      "matomo-password": site.secret("matomo/matomo-password"),
      "matomo-email": "admin@example.com",
      "archive-token": ARCHIVE_TOKEN.replace(/0/g, "f"),
    });
    await ok(site.install());
    assert.notEqual(await hash(), old);
    assert.equal(await census(site), ONCE);
  });

  it("puts back a config.ini.php that a killed write cut short", async () => {
    const whole = config(site);
    write(site, "config/config.ini.php", whole.slice(0, 60));
    assert.match(await ok(site.layout()), /put back the last good copy/);
    await ok(site.install());
    assert.equal(config(site), whole);
  });

  it("leaves stray backup copies of the configuration out of the site, and on the volume", async () => {
    write(site, "config/config.ini.php.bak", "an old copy");
    await ok(site.layout());
    assert.ok(!fs.existsSync(site.path("html", "config/config.ini.php.bak")));
    assert.ok(fs.existsSync(site.path("state", "config/config.ini.php.bak")));
  });

  it("lets no stray old file of the site survive", async () => {
    fs.writeFileSync(site.path("html", "old-hack.php"), "<?php");
    fs.writeFileSync(site.path("html", "core/Stray.php"), "<?php");
    await ok(site.layout());
    assert.ok(!fs.existsSync(site.path("html", "old-hack.php")));
    assert.ok(!fs.existsSync(site.path("html", "core/Stray.php")));
  });

  it("names a database password that is refused, and what to do", async () => {
    const right = site.secret("mariadb/mariadb-password");
    const user = { "mariadb-username": "mariadb-admin" };
    site.sandbox.files("secrets/mariadb", { ...user, "mariadb-password": "wrong-password" });
    const { status, output } = await site.install();
    site.sandbox.files("secrets/mariadb", { ...user, "mariadb-password": right });
    assert.equal(status, 1);
    assert.match(output, /Secret and database disagree.*pulumi up --refresh --run-program/);
    assert.ok(!output.includes("wrong-password"));
  });

  it("waits for a database that starts later", async () => {
    await site.stopDatabase();
    const running = await site.spawnInstall();
    await eventually("the wait", () => running.output().includes("waiting for the database"));
    await site.startDatabase();
    await ok(running.finished);
  });

  it("waits for nothing any more once its pod is to end", async () => {
    const stopping = site.path("webTmp", "stopping");
    const holder = site.value("DO GET_LOCK('matomo_install', 0), SLEEP(600)").catch(() => "killed");
    const sleeping = "FROM information_schema.processlist WHERE info LIKE 'DO GET_LOCK%'";
    await eventually("another installer", () => site.value(`SELECT id ${sleeping}`));
    const second = await site.spawnInstall();
    const waiting = `FROM information_schema.processlist WHERE info LIKE 'SELECT GET_LOCK%'`;
    await eventually("the wait for it", () => site.value(`SELECT id ${waiting}`));
    fs.writeFileSync(stopping, "");
    const told = await second.finished;
    assert.equal(told.status, 1);
    assert.match(told.output, /the pod is to end, and nothing was begun/);
    await site.stopDatabase();
    await holder;
    fs.rmSync(stopping);
    const first = await site.spawnInstall();
    await eventually("the wait", () => first.output().includes("waiting for the database"));
    fs.writeFileSync(stopping, "");
    assert.equal((await first.finished).status, 1);
    fs.rmSync(stopping);
    await site.startDatabase();
  });

  it("refuses a downgrade by the state's version and by the database's", async () => {
    write(site, ".matomo/version", "99.0.0\n");
    const layout = await site.layout();
    assert.equal(layout.status, 1);
    assert.match(layout.output, /would replace 99\.0\.0, a downgrade/);
    fs.rmSync(site.path("state", ".matomo/version"));
    await ok(site.layout());
    const version = await site.value(
      "SELECT option_value FROM matomo_option WHERE option_name = 'version_core'",
    );
    const set = (value: string) =>
      site.value(
        `UPDATE matomo_option SET option_value = '${value}' WHERE option_name = 'version_core'`,
      );
    await set("99.0.0");
    const install = await site.install();
    await set(version);
    assert.equal(install.status, 1);
    assert.match(install.output, /written by Matomo 99\.0\.0, the image holds .*downgrade/);
    await ok(site.install());
  });

  it("starts with an empty stored version, and writes the right one", async () => {
    const file = site.path("state", ".matomo/version");
    for (const empty of ["", "\n"]) {
      write(site, ".matomo/version", empty);
      assert.match(await ok(site.layout()), /WARNING: \S+\/version states no version/);
      await ok(site.install());
      assert.equal(fs.readFileSync(file, "utf8"), `${statedVersion(DIST)}\n`);
      assert.doesNotMatch(await ok(site.layout()), /WARNING/);
    }
  });

  it("does not install over visits whose version is unknown", async () => {
    await site.value(
      `SET SESSION sql_mode = ''; INSERT INTO matomo_log_visit (idsite, idvisitor, visit_last_action_time, location_ip)
       VALUES (1, 'abcdefgh', NOW(), '1234')`,
    );
    const row = "option_name = 'version_core'";
    const version = await site.value(`SELECT option_value FROM matomo_option WHERE ${row}`);
    const asked: { status: number | null; output: string }[] = [];
    for (const unknown of [
      `UPDATE matomo_option SET option_value = '' WHERE ${row}`,
      `DELETE FROM matomo_option WHERE ${row}`,
    ]) {
      await site.value(unknown);
      asked.push(await site.install());
    }
    await site.value(
      `INSERT INTO matomo_option (option_name, option_value) VALUES ('version_core', '${version}')`,
    );
    for (const { status, output } of asked) {
      assert.equal(status, 1);
      assert.match(output, /visits but does not say by which Matomo version/);
    }
  });
});

/**
 * Stands between an install and the database, and lets so many of its commands through; then it says "held",
 * and the install waits. Each command of MySQL's protocol is a packet with its length before it.
 */
const GATE = `
const net = require("node:net");
const [port, limit] = process.argv.slice(1).map(Number);
let passed = 0;
net.createServer((client) => {
  const server = net.connect(3306, "127.0.0.1");
  let left = Buffer.alloc(0);
  client.on("data", (data) => {
    left = Buffer.concat([left, data]);
    while (left.length >= 4 && left.length >= 4 + left.readUIntLE(0, 3)) {
      const length = 4 + left.readUIntLE(0, 3);
      if (passed === limit) return console.log("held");
      console.log("passed " + ++passed);
      server.write(left.subarray(0, length));
      left = left.subarray(length);
    }
  });
  server.on("data", (data) => client.write(data));
  for (const [one, other] of [[client, server], [server, client]]) {
    one.on("error", () => other.destroy()).on("close", () => other.destroy());
  }
}).listen(port, "127.0.0.1", () => console.log("ready"));`;

describe("install that is killed", () => {
  const site = new Site();
  const port = 3307;
  before(async () => {
    await site.start();
    await site.startDatabase();
    await site.layout();
  });
  after(() => site.dispose());

  /** Opens the gate for so many commands of all that is installed while it is open. */
  async function gate(limit = Infinity): Promise<Running> {
    const command = [process.execPath, "-e", GATE, String(port), String(limit)];
    const running = await site.sandbox.spawn({ user: 65534, mounts: {}, command });
    await eventually("the gate", () => running.output().includes("ready"), "serverAnswers");
    return running;
  }
  async function close(open: Running): Promise<void> {
    open.kill("SIGKILL");
    await open.finished;
  }

  it("after Matomo has noted its version, and before it has its columns, is finished", async () => {
    await ok(site.install());
    const column = "matomo_log_visit LIKE 'referer_url'";
    assert.notEqual(await site.value(`SHOW COLUMNS FROM ${column}`), "");
    await site.value(
      `ALTER TABLE matomo_log_visit DROP COLUMN referer_url;
       DELETE FROM matomo_option WHERE option_name = 'version_log_visit.referer_url'`,
    );
    await ok(site.install());
    assert.notEqual(await site.value(`SHOW COLUMNS FROM ${column}`), "");
  });

  it("at any of ten points ends in the same site, nothing doubled, nothing broken", async () => {
    const fresh = async () => {
      await site.value(
        `SELECT CONCAT('DROP TABLE ', GROUP_CONCAT(table_name)) INTO @drop
         FROM information_schema.tables WHERE table_schema = 'matomo';
         SET @drop = COALESCE(@drop, 'DO 1'); PREPARE s FROM @drop; EXECUTE s`,
      );
      for (const file of ["config/config.ini.php", ".matomo/config.ini.php", ".matomo/version"]) {
        fs.rmSync(site.path("state", file), { force: true });
      }
    };
    site.configure({
      database: { host: "matomo-mariadb", port, name: "matomo", prefix: "matomo_" },
    });
    await fresh();
    const open = await gate();
    await ok(site.install());
    const whole = open.output().match(/passed/g)!.length;
    await close(open);
    assert.ok(whole > 20, `${whole} commands`);
    for (const kill of drawn([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 3)) {
      await fresh();
      const held = await gate(Math.round((whole * kill) / 11));
      const running = await site.spawnInstall();
      await eventually(`kill ${kill}`, () => held.output().includes("held"), "commandEnds");
      running.kill("SIGKILL");
      assert.equal((await running.finished).status, null);
      await close(held);
      const reopened = await gate();
      await ok(site.install());
      await close(reopened);
      assert.equal(await census(site), ONCE, `after kill ${kill}`);
      assert.match(config(site), /\[PluginsInstalled\]/);
    }
  });
});

describe("an adopted volume", () => {
  const site = new Site();
  before(async () => {
    await site.start();
    await site.startDatabase();
  });
  after(() => site.dispose());

  it("gives its state, and none of its old code", async () => {
    // As the old chart left it: the whole site on the volume, installed by hand.
    fs.cpSync(DIST, site.path("state"), { recursive: true });
    write(site, "plugins/Bandwidth/plugin.json", '{"name": "Bandwidth"}');
    write(site, "plugins/RemovedFromCore/RemovedFromCore.php", "<?php");
    write(site, "config/manifest.inc.php", '"plugins/RemovedFromCore/RemovedFromCore.php" => 1,');
    write(site, "core/Old.php", "<?php");
    write(site, "misc/user/logo.png", "logo");
    write(site, "misc/DBIP-City.mmdb", "not one");
    write(site, "config/config.ini.php.bak", "old");
    const { spawnSync } = await import("node:child_process");
    spawnSync("chown", ["-R", `${WEB_USER}:${WEB_USER}`, site.path("state")]);
    await ok(site.layout());
    await ok(site.install());
    assert.deepEqual(fs.readdirSync(site.path("state", "plugins")).sort(), [
      ...fs.readdirSync(`${DIST}/plugins`).filter((name) => name.startsWith(".")),
      "Bandwidth",
    ]);
    const moved = fs.readdirSync(site.path("state", ".matomo/old-core-plugins"));
    assert.ok(moved.includes("RemovedFromCore") && moved.includes("CoreHome"));
    assert.ok(!fs.existsSync(site.path("html", "core/Old.php")));
    assert.equal(fs.readFileSync(site.path("state", "misc/user/logo.png"), "utf8"), "logo");
    assert.ok(fs.existsSync(site.path("state", "misc/DBIP-City.mmdb")));
    await site.startWeb();
    const icon = await site.http("GET", "http://matomo:8080/added-plugins/Bandwidth/plugin.json");
    assert.equal(icon.status, 200);
    const logo = await site.http("GET", "http://matomo:8080/misc/user/logo.png");
    assert.equal(logo.body, "logo");
  });
});

describe("charset and collation of a site that is there", () => {
  const site = new Site();
  before(async () => {
    await site.start();
    await site.startDatabase();
    await ok(site.layout());
    await ok(site.install());
  });
  after(() => site.dispose());

  /** Has all tables, or all but one, be of a collation. */
  async function convert(collation: string, but = ""): Promise<void> {
    const all = `SELECT CONCAT('ALTER TABLE ', table_name, ' CONVERT TO CHARACTER SET ${collation.split("_")[0]}
      COLLATE ${collation};') FROM information_schema.tables
      WHERE table_schema = 'matomo' AND table_name <> '${but}'`;
    await site.value(await site.value(all));
  }
  /** Has config.ini.php state these of the two, starts anew, and tells which stand there then. */
  async function kept(...lines: string[]): Promise<string[]> {
    const without = config(site).replace(/^(charset|collation) = .*\n/gm, "");
    const stated = without.replace("[database]\n", ["[database]", ...lines, ""].join("\n"));
    write(site, "config/config.ini.php", stated);
    await ok(site.layout());
    await ok(site.install());
    return config(site).match(/^(charset|collation) = .*$/gm) ?? [];
  }
  const MB3 = 'collation = "utf8mb3_general_ci"';
  const UTF8 = 'charset = "utf8"';
  const MB4 = 'charset = "utf8mb4"';
  const ifKnown = (line: string) => (KNOWS_COLLATIONS ? [line] : []);

  it("of utf8mb3 stay together, and it works", async () => {
    await convert("utf8mb3_general_ci");
    // Matomo's default is no line of its own.
    const together = (await kept(UTF8, MB3)).filter((line) => line !== UTF8);
    assert.deepEqual(together, [MB3]);
    await site.startWeb();
    const visit = "matomo.php?idsite=1&rec=1&url=https%3A%2F%2Fexample.com%2F";
    for (const page of [visit, "index.php"]) {
      const { status, body } = await site.http("GET", `http://matomo:8082/${page}`);
      assert.equal(status, 200, body);
    }
    await site.stopWeb();
  });
  it("that contradict each other are those of the collation", async () => {
    assert.deepEqual(
      (await kept(MB4, MB3)).filter((line) => line !== UTF8),
      [MB3],
    );
  });
  it("without a collation get that of the tables", async () => {
    assert.deepEqual(
      (await kept(UTF8)).filter((line) => line !== UTF8),
      ifKnown(MB3),
    );
    await convert("utf8mb4_unicode_ci");
    assert.deepEqual(await kept(MB4), [MB4, ...ifKnown('collation = "utf8mb4_unicode_ci"')]);
    assert.deepEqual(await kept(), [MB4, ...ifKnown('collation = "utf8mb4_unicode_ci"')]);
  });
  it("are left alone where the tables have several", async () => {
    await convert("utf8mb4_general_ci", "matomo_user");
    assert.deepEqual(await kept(MB4), [MB4]);
  });
});
