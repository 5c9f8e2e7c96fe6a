/**
 * A backup's proof is the restore: what the site's user can restore is proven, what it cannot is named or
 * is no backup, and what changes meanwhile is no fault (incident 19).
 */
import assert from "node:assert/strict";
import * as fs from "node:fs";
import { backupWith } from "./faults";
import { Site } from "./site";

const CONFIRMED = { RESTORE_OVERWRITE: "yes", RESTORE_CONFIRM: "matomo.example.com" };

describe("a backup's proof", () => {
  const site = new Site();
  before(async () => {
    await site.start();
    await site.up();
  });
  after(() => site.dispose());

  const newest = () => site.backups().sort().at(-1)!;
  const manifest = () =>
    JSON.parse(fs.readFileSync(site.path("backup", newest(), "manifest.json"), "utf8"));

  async function proven(): Promise<string> {
    const before = site.backups().length;
    const { status, output } = await site.backup();
    assert.equal(status, 0, output);
    assert.equal(site.backups().length, before + 1);
    return output;
  }
  /** The newest backup takes the site's place. */
  async function restored(): Promise<void> {
    await site.stopWeb();
    const { status, output } = await site.restore({ BACKUP: newest(), ...CONFIRMED });
    assert.equal(status, 0, output);
    await site.startWeb();
  }
  const definers = () =>
    site.value(
      `SELECT DISTINCT definer FROM information_schema.views WHERE table_schema = 'matomo'
       UNION SELECT definer FROM information_schema.triggers WHERE trigger_schema = 'matomo'
       UNION SELECT definer FROM information_schema.events WHERE event_schema = 'matomo'`,
    );

  it("takes what root defined as the site's user's own, and names what that user may not read", async () => {
    await site.value(
      `CREATE TABLE matomo_seen (id INT); CREATE TABLE matomo_gone (id INT);
       CREATE VIEW matomo_view AS SELECT 'DEFINER=\`a\`@\`b\`' AS word, id FROM matomo_seen;
       CREATE VIEW matomo_broken AS SELECT id FROM matomo_gone; DROP TABLE matomo_gone;
       CREATE TRIGGER matomo_trigger BEFORE INSERT ON matomo_seen FOR EACH ROW SET NEW.id = NEW.id + 1;
       CREATE PROCEDURE matomo_procedure() SELECT 1;
       CREATE EVENT matomo_event ON SCHEDULE EVERY 1 DAY DO DELETE FROM matomo_seen;
       INSERT INTO matomo_seen VALUES (1)`,
      "root",
    );
    const output = await proven();
    assert.deepEqual(manifest().leftOut, ["procedure matomo_procedure", "view matomo_broken"]);
    assert.match(output, /WARNING: procedure matomo_procedure is not in the backup/);
    assert.match(output, /WARNING: view matomo_broken is not in the backup/);
    assert.doesNotMatch(output, /WARNING: (trigger|event|view matomo_view)/);

    await site.value("DROP VIEW matomo_view");
    await restored();
    assert.equal(await definers(), "mariadb-admin@%");
    const word = "DEFINER=`a`@`b`";
    // The trigger was not there yet when the row came.
    assert.equal(await site.value("SELECT word, id FROM matomo_view"), `${word}\t2`);
    await site.value("INSERT INTO matomo_seen VALUES (5)");
    assert.equal(await site.value("SELECT MAX(id) FROM matomo_seen"), "6");
    assert.equal(await site.value("CALL matomo_procedure()"), "1", "what was left out is kept");
    await site.value(
      `DROP VIEW matomo_view; DROP PROCEDURE matomo_procedure; DROP EVENT matomo_event;
       DROP TABLE matomo_seen`,
      "root",
    );
  });

  it("takes and brings back a table that is wider than the strict limit", async () => {
    const columns = Array.from({ length: 40 }, (_, i) => `c${i} VARCHAR(250) CHARACTER SET latin1`);
    const table = `CREATE TABLE matomo_wide (${columns.join(", ")}) ROW_FORMAT=COMPACT`;
    assert.match((await site.sql(table)).output, /ERROR 1118/);
    await site.value(
      `SET SESSION innodb_strict_mode = OFF; ${table}; INSERT INTO matomo_wide (c0) VALUES ('x')`,
    );
    await proven();
    await site.value("DELETE FROM matomo_wide");
    await restored();
    assert.equal(await site.value("SELECT c0 FROM matomo_wide"), "x");
    await site.value("DROP TABLE matomo_wide");
  });

  it("fails where a row is longer than the live server takes in", async () => {
    await site.value(
      "CREATE TABLE matomo_long (body LONGBLOB); INSERT INTO matomo_long VALUES (REPEAT('x', 4000000))",
    );
    const limit = await site.value("SELECT @@GLOBAL.max_allowed_packet");
    await site.value("SET GLOBAL max_allowed_packet = 2097152", "root");
    const before = site.backups();
    const { status, output } = await site.backup();
    assert.notEqual(status, 0, output);
    assert.match(output, /max_allowed_packet|packet bigger|server has gone away/i);
    assert.deepEqual(site.backups(), before);
    await site.value(`SET GLOBAL max_allowed_packet = ${limit}`, "root");
    await proven();
    await site.value("DROP TABLE matomo_long");
  });

  it("takes no name, text or reference for another", async () => {
    const long = "name_of_sixty_four_characters_name_of_sixty_four_characters_name";
    await site.value(
      `SET NAMES utf8mb4; SET SESSION sql_mode = 'NO_BACKSLASH_ESCAPES', foreign_key_checks = OFF;
       CREATE TABLE \`child\` (\`a\`\`) b\` INT, CONSTRAINT \`c\`\` d\` FOREIGN KEY (\`a\`\`) b\`)
         REFERENCES \`par"ent \\ ü\`\`\` (id), CHECK (\`a\`\`) b\` < 99));
       CREATE TABLE \`par"ent \\ ü\`\`\` (id INT PRIMARY KEY, other INT AS (id + 1) STORED) COMMENT 'a
DROP TABLE IF EXISTS \`matomo_user\`;';
       CREATE TABLE dangling (id INT, CONSTRAINT lost FOREIGN KEY (id) REFERENCES nowhere (id));
       CREATE TABLE ${long} (body TEXT, FULLTEXT (body)) ENGINE=MyISAM;
       CREATE TABLE fleet_new_customers (id INT AUTO_INCREMENT PRIMARY KEY, body VARBINARY(200))
         PARTITION BY HASH (id) PARTITIONS 2;
       CREATE SEQUENCE matomo_sequence START 7;
       INSERT INTO \`par"ent \\ ü\`\`\` (id) VALUES (3); INSERT INTO child VALUES (3);
       INSERT INTO ${long} VALUES ('back\\slash
-- fleet: definitions
/*!50001 CREATE
INSERT INTO \`child\` VALUES
(77);');
       INSERT INTO fleet_new_customers (body) VALUES (x'000a0d1a275c2260ff0a2d2d'), ('
(1),
DELIMITER ;;');
       CREATE FUNCTION matomo_function() RETURNS INT
       /* a comment
-- fleet: definitions
       */ RETURN 1`,
    );
    await proven();
    assert.deepEqual(manifest().leftOut, []);
    const looks = [
      "SELECT * FROM child",
      'SELECT * FROM `par"ent \\ ü```',
      `SELECT * FROM ${long} WHERE MATCH (body) AGAINST ('definitions')`,
      "SELECT id, HEX(body) FROM fleet_new_customers",
      "SELECT matomo_function(), NEXTVAL(matomo_sequence) < 3000",
      "SHOW CREATE TABLE dangling",
      'SHOW CREATE TABLE `par"ent \\ ü```',
    ];
    const look = async () => {
      const seen = [];
      for (const one of looks) seen.push(await site.value(`SET NAMES utf8mb4; ${one}`));
      return seen.map((text) => text.replaceAll("`lost`", "`dangling_ibfk_1`"));
    };
    const before = await look();
    await site.value(
      "DELETE FROM child; DROP TABLE fleet_new_customers; CREATE TABLE matomo_later (i INT)",
    );
    await restored();
    assert.deepEqual(await look(), before);
    assert.equal(await site.value("SHOW TABLES LIKE 'matomo_later'"), "");
    const refused = await site.sql('SET NAMES utf8mb4; DELETE FROM `par"ent \\ ü```');
    assert.match(refused.output, /a foreign key constraint fails/);
    await site.value(
      `SET NAMES utf8mb4; DROP TABLE child, \`par"ent \\ ü\`\`\`, dangling, ${long}, fleet_new_customers;
       DROP SEQUENCE matomo_sequence; DROP FUNCTION matomo_function`,
    );
  });

  it("is not disturbed by rows that come and go all the time", async () => {
    await site.value("CREATE TABLE matomo_locked (id INT PRIMARY KEY)");
    const comeAndGo =
      "INSERT INTO matomo_locked VALUES (1); DO SLEEP(0.01); DELETE FROM matomo_locked; DO SLEEP(0.01);";
    // Longer than any backup takes; it ends with its table.
    const writer = site.sql(comeAndGo.repeat(20_000));
    for (let round = 0; round < 3; round++) await proven();
    await site.value("DROP TABLE matomo_locked");
    assert.match((await writer).output, /matomo_locked' doesn't exist/);
  });

  it("is not disturbed by a row that came and went, when nobody knows that any more", async () => {
    await site.value("CREATE TABLE matomo_passing (id INT PRIMARY KEY)");
    const dump = [
      'change() { /usr/bin/mariadb "$1" matomo --execute="$2"; }',
      '[[ $1 = --defaults-extra-file* && ! -e /tmp/once ]] || exec /usr/bin/mariadb-dump "$@"',
      ": >/tmp/once",
      'change "$1" "INSERT INTO matomo_passing VALUES (1)"',
      '/usr/bin/mariadb-dump "$@" && change "$1" "DELETE FROM matomo_passing"',
    ];
    const { status, output } = await backupWith(site, {
      "mariadb-dump": dump.join("\n"),
      mariadb: 'case "$*" in *update_time*) ;; *) exec /usr/bin/mariadb "$@" ;; esac',
    });
    await site.value("DROP TABLE matomo_passing");
    assert.equal(status, 0, output);
    assert.match(output, /table matomo_passing changed while it was dumped/);
  });
});
