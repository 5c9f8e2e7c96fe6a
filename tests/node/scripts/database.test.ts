/**
 * The database's first start: killed anywhere, the next one ends in the same database. The image's
 * entrypoint alone would leave one that nobody can log in to.
 */
import assert from "node:assert/strict";
import * as fs from "node:fs";
import { eventually } from "../../waits";
import { DATABASE_USER, Site } from "./site";

const MARK = ".first-start-unfinished";

describe("database", () => {
  const site = new Site();
  before(() => site.start());
  after(() => site.dispose());

  const exists = (...parts: string[]) => fs.existsSync(site.path("data", ...parts));

  async function empty(): Promise<void> {
    await site.sandbox.loseContainers();
    fs.rmSync(site.path("data"), { recursive: true });
    site.sandbox.volume("data", DATABASE_USER);
    // As ext4 has it at a volume's root, of root's own.
    fs.mkdirSync(site.path("data", "lost+found"), { mode: 0o700 });
  }

  /** Starts it and holds it where one of its programs is run; then everything of it is killed. */
  async function killedAt(program: string, script: string): Promise<void> {
    await empty();
    const held = ["#!/bin/bash", script, "echo held >&2", "exec sleep infinity", ""].join("\n");
    const database = await site.spawnDatabase({ [program]: held });
    await eventually("it is held", () => database.output().includes("held"));
    await site.sandbox.loseContainers();
  }

  for (const [when, program, script] of [
    [
      "it makes the system's tables",
      "mariadb-install-db",
      '/usr/bin/mariadb-install-db "$@" & until [ -d /var/lib/mysql/mysql ]; do sleep 0.01; done',
    ],
    ["it has made the system's tables", "mariadb-install-db", '/usr/bin/mariadb-install-db "$@"'],
    ["it makes the accounts", "mariadb", 'head --lines=4 | /usr/bin/mariadb "$@"'],
    ["it has made the accounts", "mariadb", '/usr/bin/mariadb "$@"'],
  ]) {
    it(`killed while ${when}, is whole after the next start`, async () => {
      await killedAt(program, script);
      assert.ok(exists("mysql") && exists(MARK));
      await site.startDatabase();
      assert.match(site.database!.output(), /the first start was cut short/);
      await site.value("CREATE TABLE matomo_any (id INT); DROP TABLE matomo_any");
      assert.ok(!exists(MARK));
      assert.ok(exists("lost+found"));
    });
  }

  it("killed between two starts, keeps what it has", async () => {
    await site.value("CREATE TABLE matomo_kept (id INT); INSERT INTO matomo_kept VALUES (7)");
    await site.sandbox.loseContainers();
    await site.startDatabase();
    assert.equal(await site.value("SELECT id FROM matomo_kept"), "7");
  });

  it("with a site's tables is never emptied, whatever mark there is", async () => {
    await site.sandbox.loseContainers();
    fs.writeFileSync(site.path("data", MARK), "");
    fs.chownSync(site.path("data", MARK), DATABASE_USER, DATABASE_USER);
    await site.startDatabase();
    assert.equal(await site.value("SELECT id FROM matomo_kept"), "7");
    assert.ok(!exists(MARK));
  });

  it("with tables is begun anew by nobody's word", async () => {
    const { status, output } = await site.beginDatabaseAnew();
    assert.notEqual(status, 0);
    assert.match(output, /matomo\/matomo_kept\.\w+ is there: nothing is begun anew over data/);
    assert.ok(!exists(MARK));
    assert.doesNotMatch(site.database!.output(), /no other/);
  });

  it("that somebody else made is started as it is", async () => {
    await killedAt("mariadb", '/usr/bin/mariadb "$@"');
    fs.rmSync(site.path("data", MARK));
    await site.startDatabase();
    assert.doesNotMatch(site.database!.output(), /it begins anew\n|Initializing/);
  });

  it("that somebody else left half made is named, and whole after one command", async () => {
    await killedAt("mariadb", 'head --lines=1 | /usr/bin/mariadb "$@"');
    fs.rmSync(site.path("data", MARK));
    const half = await site.spawnDatabase();
    await eventually("it serves", () => half.output().includes("ready for connections"));
    assert.match(half.output(), /If logins are refused.*database-start\.sh anew && kubectl/s);
    const refused = await site.sql("DO 1");
    assert.match(refused.output, /Access denied/);
    const { status, output } = await site.beginDatabaseAnew();
    assert.equal(status, 0, output);
    await site.sandbox.loseContainers();
    await site.startDatabase();
    await site.value("CREATE TABLE matomo_any (id INT); DROP TABLE matomo_any");
    assert.ok(!exists(MARK) && exists("lost+found"));
  });
});
