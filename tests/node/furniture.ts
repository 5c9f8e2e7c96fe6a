/** What people have made of a site, to be found again on another cluster. */
import * as assert from "node:assert/strict";
import { KEPT_PLUGIN, type NodeSite } from "./harness";

/** A person with a token of her own. */
export const GRACE = { login: "grace", token: "fedcba9876543210fedcba9876543210" };

/** A user with a token, a plugin that is activated, an upload, and a setting. */
export async function furnish(site: NodeSite): Promise<void> {
  await site.shell("web", `php <<'PHP'\n${ADD_GRACE}\nPHP`);
  await site.shell(
    "web",
    `mkdir -p /state/plugins/Kept && cd /state/plugins/Kept && ${KEPT_PLUGIN} && ` +
      "echo logo >/state/misc/user/logo.png && cd /var/www/html && php console plugin:activate Kept && " +
      "php console config:set --section=mail --key=host --value=smtp.example.com",
  );
  await assertFurnished(site);
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

/**
 * Rows and checksum of every table but those in which a new cluster's web pod writes at its start: the
 * restore itself has compared these.
 */
export async function tables(site: NodeSite): Promise<string> {
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
