/** What people have made of a site, to be found again on another cluster. */
import * as assert from "node:assert/strict";
import { KEPT_PLUGIN, type NodeSite } from "./harness";

/** A person with a token of her own. */
export const GRACE = { login: "grace", token: "fedcba9876543210fedcba9876543210" };

/** A user with a token, a goal, a plugin that is activated, an upload, and a setting. */
export async function furnish(site: NodeSite): Promise<void> {
  await site.shell("web", `php <<'PHP'\n${ADD_GRACE}\nPHP`);
  await site.query(ADD_GOAL);
  await site.shell(
    "web",
    `mkdir -p /state/plugins/Kept && cd /state/plugins/Kept && ${KEPT_PLUGIN} && ` +
      "echo logo >/state/misc/user/logo.png && cd /var/www/html && php console plugin:activate Kept && " +
      "php console config:set --section=mail --key=host --value=smtp.example.com",
  );
  await assertFurnished(site);
}

/** Takes the user and her goal away: for a site that other files share, and that is as it was then. */
export async function takeAway(site: NodeSite): Promise<void> {
  const rows = ["user", "user_token_auth"].map(
    (table) => `DELETE FROM matomo_${table} WHERE login = '${GRACE.login}'`,
  );
  const goal = process.env.MATOMO_DIST
    ? "DELETE FROM matomo_goal WHERE idsite = 1 AND idgoal = 1"
    : "DROP TABLE IF EXISTS matomo_goal";
  await site.query([...rows, goal].join("; "));
}

/** Everything that `furnish` made is lost, or is another. */
export async function spoil(site: NodeSite): Promise<void> {
  await takeAway(site);
  await site.shell(
    "web",
    "cd /var/www/html && php console plugin:deactivate Kept && rm -r /state/plugins/Kept && " +
      "echo another >/state/misc/user/logo.png && " +
      "php console config:set --section=mail --key=host --value=elsewhere.example.com",
  );
  await assert.rejects(assertFurnished(site));
}

/** All of that is there and works, the archive's token too. */
export async function assertFurnished(site: NodeSite): Promise<void> {
  assert.deepEqual([await works(site), await works(site, GRACE.token)], [[1], [1]]);
  const files = ["misc/user/logo.png", "config/config.ini.php"];
  const there = await site.shell("web", `cd /var/www/html && cat ${files.join(" ")}`);
  assert.match(there, /^logo$/m);
  assert.match(there, /host = "?smtp\.example\.com/);
  const plugins = await site.shell("web", "cd /var/www/html && php console plugin:list");
  assert.match(plugins, /Kept[^\n]*Activated/);
}

function works(site: NodeSite, token?: string): Promise<unknown> {
  return site.api("SitesManager.getAllSitesId", token ? { token_auth: token } : {});
}

/** What a site's database holds, to be compared with what a restore brought back. */
export interface Belongings {
  /** Rows and checksum of each table but those in which a web pod writes at its start. */
  tables: string;
  /** Of those, the rows that it leaves alone. */
  rows: Record<string, string[]>;
}

export async function belongings(site: NodeSite): Promise<Belongings> {
  const names = await site.query(
    "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() ORDER BY 1",
  );
  const list = names.split("\n").filter((table) => !WRITTEN_AT_START.includes(table));
  const counts = list.map((table) => `SELECT '${table}', COUNT(*) FROM ${table}`);
  const rows: Belongings["rows"] = {};
  for (const [table, select] of Object.entries(KEPT_ROWS)) {
    rows[table] = (await site.query(select)).split("\n");
  }
  return {
    tables: await site.query(`${counts.join(" UNION ALL ")}; CHECKSUM TABLE ${list.join()}`),
    rows,
  };
}

/** A restored site has what the backed up one had, and each of its users' things works. */
export async function assertBroughtBack(site: NodeSite, backedUp: Belongings): Promise<void> {
  const now = await belongings(site);
  assert.equal(now.tables, backedUp.tables);
  for (const [table, rows] of Object.entries(backedUp.rows)) {
    const lost = rows.filter((row) => !now.rows[table].includes(row));
    assert.deepEqual(lost, [], table);
  }
  await assertFurnished(site);
}

const WRITTEN_AT_START = ["option", "session", "user", "user_token_auth"].map((t) => `matomo_${t}`);
const KEPT_ROWS = {
  user: "SELECT login, password, email, superuser_access, date_registered FROM matomo_user",
  // The archive's is the stack's own, and made anew on another cluster.
  user_token_auth:
    "SELECT login, description, password, date_created FROM matomo_user_token_auth " +
    "WHERE description <> 'Archive job of the cluster'",
  option: "SELECT option_name, option_value FROM matomo_option",
};

/** As Matomo's own table, which the look-alike has not. */
const ADD_GOAL = `
  CREATE TABLE IF NOT EXISTS matomo_goal (
    idsite INT, idgoal INT, name VARCHAR(50) NOT NULL, match_attribute VARCHAR(20) NOT NULL,
    pattern VARCHAR(255) NOT NULL, pattern_type VARCHAR(25) NOT NULL, case_sensitive TINYINT NOT NULL,
    allow_multiple TINYINT NOT NULL, revenue DOUBLE NOT NULL, PRIMARY KEY (idsite, idgoal));
  INSERT INTO matomo_goal (idsite, idgoal, name, match_attribute, pattern, pattern_type, case_sensitive,
    allow_multiple, revenue) VALUES (1, 1, 'ordered', 'url', '/thanks', 'contains', 0, 0, 7)`;

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
