/**
 * A restore over a live site: until all that the backup holds is loaded beside it and compared, the site is
 * as it was; from then on it goes on wherever it was cut short.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { HOLD, isHeld, LOADS } from "./faults";
import type { Running } from "./sandbox";
import { DATABASE_USER, Site } from "./site";

const CONFIRMED = { RESTORE_OVERWRITE: "yes", RESTORE_CONFIRM: "matomo.example.com" };
/** In the arguments of the client that puts tables in their place. */
const PLACES = "foreign_key_checks = OFF";
const UNFINISHED = /a restore into this database has not finished/;

describe("restore over a live site", () => {
  const site = new Site();
  let name: string;
  /** What the backup holds, and what the site has made of it since. */
  let backedUp: string;
  let later: string;
  before(async () => {
    await site.start();
    await site.up();
    await site.value(
      `CREATE TABLE matomo_parent (id INT PRIMARY KEY);
       CREATE TABLE matomo_child (id INT, CONSTRAINT theirs FOREIGN KEY (id) REFERENCES matomo_parent (id));
       INSERT INTO matomo_parent VALUES (1), (2); INSERT INTO matomo_child VALUES (1);
       CREATE VIEW matomo_view AS SELECT id FROM matomo_child`,
    );
    const { status, output } = await site.backup();
    assert.equal(status, 0, output);
    [name] = site.backups();
    await site.stopWeb();
    backedUp = await tables();
  });
  after(() => site.dispose());
  beforeEach(async () => {
    await site.value(
      `DROP TABLE IF EXISTS matomo_child, fleet_restore_in_progress;
       CREATE TABLE IF NOT EXISTS matomo_later (id BIGINT PRIMARY KEY);
       CREATE OR REPLACE VIEW matomo_later_view AS SELECT id FROM matomo_later;
       UPDATE matomo_user SET email = 'later@example.com' WHERE login = 'admin'`,
    );
    later = await tables();
    assert.notEqual(later, backedUp);
  });

  /** Every table with its checksum, and every view. */
  async function tables(): Promise<string> {
    const list = await site.value(
      `SELECT CONCAT(IF(table_type = 'VIEW', 'SELECT "', 'CHECKSUM TABLE \`'), table_name,
         IF(table_type = 'VIEW', '";', '\`;')) FROM information_schema.tables
       WHERE table_schema = 'matomo' AND table_name NOT LIKE 'fleet\\_%' ORDER BY table_name`,
    );
    return site.value(list);
  }
  const own = () => site.value("SHOW TABLES LIKE 'fleet\\_%'");

  async function isUntouched(result: { status: number | null; output: string }): Promise<void> {
    assert.equal(result.status, 1, result.output);
    assert.match(result.output, /restore: ERROR: .* Nothing was touched\.$/m);
    assert.equal(await tables(), later);
    assert.equal(await own(), "");
    assert.doesNotMatch((await site.install()).output, UNFINISHED);
  }
  async function isBack(result: { status: number | null; output: string }): Promise<void> {
    assert.equal(result.status, 0, result.output);
    assert.equal(await tables(), backedUp);
    assert.equal(await own(), "");
    assert.equal(await site.value("SELECT * FROM matomo_view"), "1");
    assert.match(
      (await site.sql("DELETE FROM matomo_parent")).output,
      /foreign key constraint fails/,
    );
  }
  /** A restore with programs of the test's own. */
  async function startWith(programs: Record<string, string>, backup = name): Promise<Running> {
    const { env, mounts } = site.sandbox.shims(programs);
    return site.spawnRestore({ BACKUP: backup, ...CONFIRMED, ...env }, mounts);
  }
  async function isKilled(programs: Record<string, string>, backup?: string): Promise<string> {
    const running = await startWith(programs, backup);
    await isHeld(running);
    await site.killAll("RESTORE_OVERWRITE=yes");
    const { status, output } = await running.finished;
    assert.notEqual(status, 0);
    return output;
  }
  /** The client with these arguments gets as many lines of its input, and is held. */
  const heldAt = (words: string, lines: number) => ({
    mariadb:
      `case "$*" in *"${words}"*) ;; *) exec /usr/bin/mariadb "$@" ;; esac\n` +
      `head --lines=${lines} | /usr/bin/mariadb "$@"; ${HOLD}`,
  });

  /** A backup with another dump, which its manifest calls proven. */
  async function withDump(copy: string, change: string): Promise<string> {
    const from = site.path("backup", name);
    const to = site.path("backup", copy);
    fs.cpSync(from, to, { recursive: true });
    spawnSync("chown", ["-R", `${DATABASE_USER}:${DATABASE_USER}`, site.path("backup")]);
    const script = `set -euo pipefail; cd /backup/${copy}; ${change} | zstd -q -f -o database.sql.zst`;
    const made = await site.sandbox.run({
      image: "mariadb",
      user: DATABASE_USER,
      mounts: { "/backup": site.path("backup") },
      env: { PASSWORD: site.secret("mariadb/mariadb-password") },
      command: ["bash", "-c", script],
    });
    assert.equal(made.status, 0, made.output);
    const file = `${to}/manifest.json`;
    const said = fs.readFileSync(file, "utf8");
    const sum = createHash("sha256")
      .update(fs.readFileSync(`${to}/database.sql.zst`))
      .digest("hex");
    fs.writeFileSync(file, said.replace(/("database.sql.zst": .*"sha256": ")[^"]*/, `$1${sum}`));
    return copy;
  }
  it("that is killed while it loads leaves the site untouched; the next one ends well", async () => {
    await isKilled(heldAt(LOADS, 400));
    assert.equal(await tables(), later);
    assert.match(await own(), /fleet_new_1$/m);
    assert.match((await site.install()).output, UNFINISHED);
    await isBack(await site.restore({ BACKUP: "newest" }));
  });

  const points: Record<string, Record<string, string>> = {
    "nothing is in its place yet": heldAt(PLACES, 0),
    "the first table is gone": heldAt(PLACES, 1),
    "half of the tables are in their place": {
      mariadb:
        `case "$*" in *"${PLACES}"*) ;; *) exec /usr/bin/mariadb "$@" ;; esac\n` +
        "cat >/tmp/all; lines=$(wc -l </tmp/all); renames=$(grep -c ^RENAME /tmp/all)\n" +
        `head --lines=$((lines - renames / 2)) /tmp/all | /usr/bin/mariadb "$@"; ${HOLD}`,
    },
    "all tables are in their place": heldAt(PLACES, 100_000),
    "the state is half unpacked": {
      sha256sum: `case "$*" in *--strict*) ${HOLD} ;; esac; exec /usr/bin/sha256sum "$@"`,
    },
  };
  for (const [point, programs] of Object.entries(points)) {
    it(`that is killed when ${point} goes on`, async () => {
      await isKilled(programs);
      assert.match((await site.install()).output, UNFINISHED);
      const result = await site.restore({ BACKUP: name });
      assert.match(result.output, /going on: its tables take the place/);
      await isBack(result);
    });
  }

  it("takes no tables of another backup for its own", async () => {
    const other = await withDump("2020-01-01T000000Z", `zstd -dc ../${name}/database.sql.zst`);
    await isKilled(heldAt(PLACES, 1));
    // The other one's tables stand beside what is left.
    await isKilled(heldAt(LOADS, 400), other);
    const result = await site.restore({ BACKUP: name });
    assert.doesNotMatch(result.output, /going on/);
    await isBack(result);
    fs.rmSync(site.path("backup", other), { recursive: true });
  });

  for (const [fault, change, message] of [
    ["breaks off", "head --lines=-30 | sed '/^-- Dump completed/d'", /dump has no end/],
    [
      "has a fault",
      "sed 's/^CREATE TABLE `matomo_user` (/CREATE TABLE `matomo_user`/'",
      /ERROR 1064/,
    ],
    ["holds other rows", "sed s/admin@example.com/other@example.com/", /differ from the manifest/],
    [
      "lacks a table",
      "sed '/^CREATE TABLE `matomo_child`/,/^UNLOCK/d'",
      /differ from the manifest/,
    ],
  ] as const) {
    it(`leaves the site as it was where the dump ${fault}`, async () => {
      const whole = `zstd -dc ../${name}/database.sql.zst`;
      const bad = await withDump("2020-01-01T000000Z", `${whole} | ${change}`);
      const result = await site.restore({ BACKUP: bad, ...CONFIRMED });
      fs.rmSync(site.path("backup", bad), { recursive: true });
      assert.match(result.output, message);
      await isUntouched(result);
    });
  }

  it("leaves the site as it was where the database's volume is full", async () => {
    const full = "echo 'ERROR 1114 (HY000) at line 9: The table is full' >&2; exit 1";
    const mariadb =
      `case "$*" in *"${LOADS}"*) ;; *) exec /usr/bin/mariadb "$@" ;; esac\n` +
      `head --lines=400 | /usr/bin/mariadb "$@"; ${full}`;
    await isUntouched(await (await startWith({ mariadb })).finished);
  });

  describe("of an older program", () => {
    it("brings back its backup, in which tables and definitions are mixed", async () => {
      await site.value("DROP TABLE matomo_later");
      await isBack(await site.restore({ BACKUP: name, ...CONFIRMED }));
      await site.value(
        `CREATE TRIGGER matomo_trigger BEFORE INSERT ON matomo_child FOR EACH ROW SET NEW.id = 2;
         CREATE EVENT matomo_event ON SCHEDULE EVERY 1 DAY DO SELECT 1;
         CREATE FUNCTION matomo_function() RETURNS INT RETURN 1`,
      );
      const old = await withDump(
        "2020-01-01T000000Z",
        'mariadb-dump --no-defaults -h matomo-mariadb -u mariadb-admin -p"$PASSWORD" --single-transaction ' +
          "--quick --skip-lock-tables --order-by-primary --skip-dump-date --routines --triggers --events " +
          "--default-character-set=utf8mb4 matomo",
      );
      const manifest = site.path("backup", old, "manifest.json");
      fs.writeFileSync(
        manifest,
        fs.readFileSync(manifest, "utf8").replace(/^ *"leftOut".*\n/m, ""),
      );
      await site.value(
        "DROP TABLE matomo_child; DROP EVENT matomo_event; DROP FUNCTION matomo_function",
      );
      const result = await site.restore({ BACKUP: old, ...CONFIRMED });
      fs.rmSync(site.path("backup", old), { recursive: true });
      await isBack(result);
      await site.value("INSERT INTO matomo_child VALUES (1)");
      assert.equal(await site.value("SELECT GROUP_CONCAT(id) FROM matomo_child"), "1,2");
      assert.equal(await site.value("SELECT matomo_function()"), "1");
      assert.match(await site.value("SHOW EVENTS"), /matomo_event/);
      await site.value("DROP EVENT matomo_event; DROP FUNCTION matomo_function");
    });

    it("goes on where it was cut short", async () => {
      await site.value(
        "DROP TABLE matomo_user, matomo_later; CREATE TABLE fleet_restore_in_progress (started TIMESTAMP)",
      );
      const { mounts, env } = site.sandbox.shims(heldAt(LOADS, 400));
      const running = await site.spawnRestore({ BACKUP: name, ...env }, mounts);
      await isHeld(running);
      await site.killAll("BACKUP=");
      await running.finished;
      const bad = await withDump("2020-01-01T000000Z", "echo '-- Dump completed'");
      const failed = await site.restore({ BACKUP: bad });
      fs.rmSync(site.path("backup", bad), { recursive: true });
      assert.equal(failed.status, 1);
      assert.match(failed.output, /half done: run this Job again/);
      assert.doesNotMatch(failed.output, /Nothing was touched/);
      await isBack(await site.restore({ BACKUP: name }));
    });
  });
});
