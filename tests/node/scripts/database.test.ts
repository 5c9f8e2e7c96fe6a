/**
 * The database's first start: killed anywhere, the next one ends in the same database. The image's
 * entrypoint alone would leave one that nobody can log in to.
 */
import assert from "node:assert/strict";
import * as fs from "node:fs";
import { CONNECTION_MIB, DATABASE_BASE_MIB } from "../../../components/capacity";
import { isSoak } from "../../soak";
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

  it("takes no more memory than is counted, its pool full and 20 connections busy", async () => {
    await site.stopDatabase();
    site.databaseMemoryMib = isSoak ? 1024 : 640;
    await site.startDatabase();
    /** Resident, in MiB. */
    const taken = () => {
      const [pid] = site.pidsWith("mariadbd\0", "cmdline").filter((one) => {
        return fs.readFileSync(`/proc/${one}/comm`, "utf8").startsWith("mariadbd");
      });
      const status = fs.readFileSync(`/proc/${pid}/status`, "utf8");
      return Number(/^VmRSS:\s+(\d+)/m.exec(status)![1]) / 1024;
    };
    const pool = Number(await site.value("SELECT @@innodb_buffer_pool_size")) / 1048576;
    // Pages of 16 KiB hold three such rows.
    const rows = `seq_1_to_${Math.ceil(pool * 1.1) * 192}`;
    await site.value(`CREATE TABLE matomo_full (id INT AUTO_INCREMENT PRIMARY KEY, t VARCHAR(4000));
      INSERT INTO matomo_full (t) SELECT REPEAT(CHAR(65 + seq MOD 26), 4000) FROM ${rows}`);
    const full = `SELECT variable_value / 64 FROM information_schema.global_status
      WHERE variable_name = 'Innodb_buffer_pool_pages_data'`;
    // The page cleaner empties some ahead of who needs them.
    const free = Number(await site.value("SELECT @@innodb_lru_scan_depth / 64"));
    assert.ok(Number(await site.value(full)) > 0.95 * pool - free);
    const idle = taken();
    // Sorts, groups and joins, each beyond the memory that a query may take.
    const sorted = (n: number) => `SELECT COUNT(*) FROM (SELECT t, GROUP_CONCAT(id) FROM matomo_full
      WHERE id BETWEEN ${n * 100} AND ${n * 100 + 5000} GROUP BY t, id MOD 1000 ORDER BY t DESC) some`;
    let most = idle;
    const timer = setInterval(() => (most = Math.max(most, taken())), 50);
    const asked = await Promise.all(Array.from({ length: 20 }, (_, n) => site.sql(sorted(n))));
    clearInterval(timer);
    assert.ok(asked.every(({ status }) => status === 0));
    const mib = (value: number) => Math.round(value);
    const connection = (most - idle) / 20;
    console.log(
      `      pool ${mib(pool)} MiB, the rest ${mib(idle - pool)}, with 20 connections ${mib(most - pool)}`,
    );
    assert.ok(idle - pool < DATABASE_BASE_MIB, `${idle - pool}`);
    assert.ok(connection < CONNECTION_MIB, `${connection}`);
  });
});
