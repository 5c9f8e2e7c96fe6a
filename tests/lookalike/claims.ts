/**
 * What the program and its tests take Matomo to do: one list, asked of the real one and of the
 * look-alike by the same checks (tests/node/scripts/claims.test.ts). What the look-alike shows is in
 * it; where a version differs, the claim states its range.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { statedVersion } from "../node/version";
import type { Result } from "../node/scripts/sandbox";
import { ARCHIVE_TOKEN, DIST, HOST, type Site, WEB_USER } from "../node/scripts/site";

export interface Claim {
  title: string;
  /** The versions that do so: from the first one on, and before the second. */
  versions?: { from?: string; before?: string };
  /** A file of the code without which there is nothing to ask; a copy without it is not asked. */
  needs?: string;
  check: (site: Site) => Promise<void>;
}

const INSIDE = "http://matomo:8082";
/** A token that a URL may carry, of a user of its own. */
const URL_TOKEN = "fedcba9876543210fedcba9876543210";
const VISITOR = "00000000000000c1";
const PAGE = "https://example.com/claims";

async function ok(result: Promise<Result>): Promise<string> {
  const { status, output } = await result;
  assert.equal(status, 0, output);
  return output;
}
function get(site: Site, file: string, headers?: Record<string, string>) {
  return site.http("GET", `${INSIDE}/${file}`, { headers });
}
function post(site: Site, data: string, headers?: Record<string, string>) {
  return site.http("POST", `${INSIDE}/index.php`, { data, headers });
}
/** The answer of a method of the API to the super user. */
async function api(site: Site, method: string, more = "") {
  const data = `module=API&method=${method}&format=json&token_auth=${ARCHIVE_TOKEN}${more}`;
  const { status, body } = await post(site, data);
  assert.equal(status, 200, body);
  return JSON.parse(body);
}
/** Runs PHP as install.php does, with Matomo's classes at hand; what it printed. */
function php(site: Site, code: string): Promise<string> {
  const start = [
    "define('PIWIK_DOCUMENT_ROOT', '/var/www/html');",
    "define('PIWIK_INCLUDE_PATH', '/var/www/html');",
    "define('PIWIK_USER_PATH', '/var/www/html');",
    "foreach (['DISPATCH', 'SESSION_START', 'ERROR_HANDLER'] as $one) { define(\"PIWIK_ENABLE_$one\", false); }",
    "require '/var/www/html/bootstrap.php'; require '/var/www/html/core/bootstrap.php';",
    "(new Piwik\\Application\\Environment('cli'))->init();",
    "Piwik\\Plugin\\Manager::getInstance()->loadActivatedPlugins();",
  ];
  return ok(site.exec("php", "-r", [...start, code].join("\n")));
}
const superUser = (code: string) => `Piwik\\Access::doAsSuperUser(static function () { ${code} });`;
const config = (site: Site) => fs.readFileSync(site.path("state", "config/config.ini.php"), "utf8");
const option = (site: Site, name: string) =>
  site.value(`SELECT option_value FROM matomo_option WHERE option_name = '${name}'`);
const setOption = (site: Site, name: string, value: string) =>
  site.value(
    `REPLACE INTO matomo_option (option_name, option_value) VALUES ('${name}', '${value}')`,
  );
/** Records a visit; the visitor's identity is what the page's cookie says. */
function visit(site: Site, id: string, headers?: Record<string, string>, url = PAGE) {
  const page = encodeURIComponent(url);
  return get(site, `matomo.php?idsite=1&rec=1&_id=${id}&url=${page}`, headers);
}
const visitsOf = (site: Site, id: string) =>
  site.value(`SELECT COUNT(*) FROM matomo_log_visit WHERE idvisitor = UNHEX('${id}')`);
/** Sets a property of PrivacyManager; the tracker has a copy of them in memory. */
async function ownPrivacy(site: Site, name: string, value: boolean): Promise<void> {
  const set = "$config = new Piwik\\Plugins\\PrivacyManager\\Config();";
  await php(site, `${set} $config->${name} = ${value};`);
  await site.stopWeb();
  await site.startWeb();
}
/** A third-party plugin on the volume, as the Marketplace leaves one. */
function addPlugin(site: Site, name: string, files: Record<string, string> = {}): void {
  const folder = site.path("state", "plugins", name);
  const own = {
    "plugin.json": JSON.stringify({
      name,
      version: "1.0.0",
      require: { matomo: ">=5.0.0-b1,<6.0.0-b1" },
    }),
    [`${name}.php`]: `<?php namespace Piwik\\Plugins\\${name}; class ${name} extends \\Piwik\\Plugin {}\n`,
    ...files,
  };
  for (const [file, text] of Object.entries(own)) {
    fs.mkdirSync(path.dirname(path.join(folder, file)), { recursive: true });
    fs.writeFileSync(path.join(folder, file), text);
    fs.chownSync(path.join(folder, file), WEB_USER, WEB_USER);
  }
  fs.chownSync(folder, WEB_USER, WEB_USER);
}

const RUN = "module=API&method=CoreAdminHome.runCronArchiving&format=console";
const NO_METHOD =
  /^Error: The method 'runCronArchiving' does not exist or is not available in the module/m;
const REFUSED = /Unable to authenticate with the provided token/;

/** Asks a site whose configuration does not say that every request is one over TLS, as ours does. */
async function withoutAssumption(site: Site, ask: () => Promise<void>): Promise<void> {
  const which = ["--section=General", "--key=assume_secure_protocol"];
  await ok(site.console("config:set", ...which, "--value=0"));
  try {
    await ask();
  } finally {
    await ok(site.console("config:delete", ...which));
  }
}

const code: Claim[] = [
  {
    title: "core/Version.php states the version as a public constant",
    versions: { from: "5.1.0" },
    check: async () =>
      assert.match(
        fs.readFileSync(path.join(DIST, "core/Version.php"), "utf8"),
        /^ +public const VERSION = '/m,
      ),
  },
  {
    title: "core/Version.php states the version as a constant without a visibility",
    versions: { before: "5.1.0" },
    check: async () =>
      assert.match(
        fs.readFileSync(path.join(DIST, "core/Version.php"), "utf8"),
        /^ +const VERSION = '/m,
      ),
  },
  {
    title: "what the volume keeps has its place beside the code",
    check: async (site) => {
      for (const file of [
        "matomo.js",
        "matomo.php",
        "index.php",
        "console",
        "config/global.ini.php",
      ]) {
        assert.ok(fs.existsSync(path.join(DIST, file)), file);
      }
      assert.ok(!fs.existsSync(path.join(DIST, "config/config.ini.php")));
      assert.match(
        await php(site, "echo Piwik\\Config::getLocalConfigPath();"),
        /^\/state\/config\//,
      );
    },
  },
  {
    title: "the first line of config.ini.php keeps its content to itself",
    check: async (site) =>
      assert.match(config(site), /^; <\?php exit; \?> DO NOT REMOVE THIS LINE\n/),
  },
  {
    title:
      "nothing runs without config.ini.php, and no wizard shows itself where it is switched off",
    check: async (site) => {
      const file = site.path("state", "config/config.ini.php");
      fs.renameSync(file, `${file}.aside`);
      try {
        const { status, body } = await get(site, "index.php");
        assert.deepEqual([status, /Matomo is not set up yet/.test(body)], [404, true], body);
        await assert.rejects(php(site, "echo 'started';"));
      } finally {
        fs.renameSync(`${file}.aside`, file);
      }
    },
  },
];

const requests: Claim[] = [
  {
    title: "the tracker without parameters answers 200 for any host, over plain HTTP",
    check: async (site) => {
      const headers = { Host: "other.example.org", "X-Forwarded-Proto": "http" };
      const { status, body } = await get(site, "matomo.php", headers);
      assert.equal(status, 200);
      assert.match(body, /This resource is part of Matomo/);
    },
  },
  {
    title: "the tracker is not redirected by force_ssl, and answers a picture",
    check: async (site) => {
      const answer = await visit(site, VISITOR, { "X-Forwarded-Proto": "http" });
      assert.equal(answer.status, 200);
      assert.match(answer.headers, /^content-type: image\/gif/im);
      assert.equal(await visitsOf(site, VISITOR), "1");
    },
  },
  {
    title: "the tracker answers 400 for a website that is none",
    check: async (site) => {
      const { status } = await get(
        site,
        "matomo.php?idsite=99&rec=1&url=https%3A%2F%2Fexample.com",
      );
      assert.equal(status, 400);
    },
  },
  {
    title: "index.php shows the login form to its own host, and answers 200 to any other",
    check: async (site) => {
      const own = await get(site, "index.php");
      assert.equal(own.status, 200);
      for (const part of ["login_form_login", "login_form_password", "login_form_submit"]) {
        assert.ok(own.body.includes(part), part);
      }
      assert.match(own.body, /form_nonce/);
      const other = await get(site, "index.php", { Host: "other.example.org" });
      assert.equal(other.status, 200);
      assert.match(other.body, /<title>Sign in - Matomo<\/title>/);
      assert.doesNotMatch(other.body, /login_form_login/);
    },
  },
  {
    title: "the session's cookie is for TLS and no script",
    check: async (site) => {
      const { headers } = await get(site, "index.php");
      assert.match(
        headers,
        /^set-cookie: MATOMO_SESSID=[^\r]*secure[^\r]*HttpOnly[^\r]*SameSite=Lax/im,
      );
    },
  },
  {
    title: "force_ssl sends a plain request to https, an archive run too, which then does not run",
    check: (site) =>
      withoutAssumption(site, async () => {
        const plain = { "X-Forwarded-Proto": "http" };
        for (const answer of [
          await get(site, "index.php", plain),
          await post(site, `${RUN}&token_auth=${ARCHIVE_TOKEN}`, plain),
        ]) {
          assert.equal(answer.status, 302);
          assert.match(answer.headers, new RegExp(`^location: https://${HOST}/`, "im"));
          assert.doesNotMatch(answer.body, /archiving/i);
        }
      }),
  },
  {
    title: "X-Forwarded-Proto makes a request one over TLS",
    versions: { before: "5.7.0" },
    check: (site) =>
      withoutAssumption(site, async () => {
        const { status } = await get(site, "index.php", { "X-Forwarded-Proto": "https" });
        assert.equal(status, 200);
      }),
  },
  {
    title: "assume_secure_protocol makes every request one over TLS",
    check: async (site) => {
      assert.equal((await get(site, "index.php", { "X-Forwarded-Proto": "http" })).status, 200);
    },
  },
];

const tokens: Claim[] = [
  {
    title: "a token is stored as SHA-512 of it and the salt",
    check: async (site) => {
      const salt = /^salt = "(.*)"$/m.exec(config(site))![1];
      const hash = createHash("sha512")
        .update(ARCHIVE_TOKEN + salt)
        .digest("hex");
      const where = `password = '${hash}' AND hash_algo = 'sha512' AND secure_only = 1`;
      assert.equal(
        await site.value(`SELECT login FROM matomo_user_token_auth WHERE ${where}`),
        "admin",
      );
    },
  },
  {
    title: "the console does not see a token that is for secure requests alone",
    check: async (site) => {
      const look = `var_export((bool) (new Piwik\\Plugins\\UsersManager\\Model())->getUserByTokenAuth('${ARCHIVE_TOKEN}'));`;
      assert.equal(await php(site, look), "false");
    },
  },
  {
    title: "`token=` is no parameter: the method does not exist, and nothing is archived",
    check: async (site) => {
      const { body } = await post(site, `${RUN}&token=${ARCHIVE_TOKEN}`);
      assert.match(body, NO_METHOD);
    },
  },
  ...[
    { status: 200, versions: { before: "5.1.0" } },
    { status: 400, versions: { from: "5.2.0" } },
  ].map(({ status, versions }) => ({
    title: `a method that does not exist is HTTP ${status}`,
    versions,
    check: async (site: Site) => {
      assert.equal((await post(site, `${RUN}&token=${ARCHIVE_TOKEN}`)).status, status);
    },
  })),
  {
    title: "archive.php without token_auth is HTTP 200 and a help text",
    needs: "misc/cron/archive.php",
    check: async (site) => {
      const { status, body } = await get(site, `misc/cron/archive.php?token=${ARCHIVE_TOKEN}`);
      assert.equal(status, 200);
      assert.match(body, /You must specify the Super User token_auth/);
    },
  },
  {
    title: "a wrong token is answered with 401, by POST and by GET",
    check: async (site) => {
      const wrong = "0".repeat(32);
      for (const answer of [
        await post(site, `${RUN}&token_auth=${wrong}`),
        await get(site, `index.php?${RUN}&token_auth=${wrong}`),
      ]) {
        assert.equal(answer.status, 401, answer.body);
        assert.match(answer.body, REFUSED);
      }
    },
  },
  {
    title: "a token for secure requests alone is refused in a URL",
    check: async (site) => {
      const asked = "index.php?module=API&method=SitesManager.getAllSitesId&format=json";
      const { status, body } = await get(site, `${asked}&token_auth=${ARCHIVE_TOKEN}`);
      assert.equal(status, 401, body);
      assert.match(body, REFUSED);
    },
  },
  {
    title: "a request without a token may do nothing, whatever method it asks for",
    check: async (site) => {
      const asked = "index.php?module=API&method=SitesManager.getAllSitesId&format=json";
      const { status, body } = await get(site, asked);
      assert.equal(status, 401, body);
    },
  },
  {
    title: "a token in a header is none",
    versions: { before: "5.2.3" },
    check: async (site) => {
      const asked = "index.php?module=API&method=SitesManager.getAllSitesId&format=json";
      const { status } = await get(site, asked, { Authorization: `Bearer ${ARCHIVE_TOKEN}` });
      assert.equal(status, 401);
    },
  },
  {
    title: "archive.php refuses a token for secure requests alone, and a wrong one",
    needs: "misc/cron/archive.php",
    check: async (site) => {
      for (const token of [ARCHIVE_TOKEN, "0".repeat(32)]) {
        const { status } = await get(site, `misc/cron/archive.php?token_auth=${token}`);
        assert.equal(status, 401);
      }
    },
  },
  {
    title: "a token of the other kind is taken from a URL",
    check: async (site) => {
      const add = `(new Piwik\\Plugins\\UsersManager\\Model())->addTokenAuth('admin', '${URL_TOKEN}', 'claims', '2024-01-01 00:00:00');`;
      await php(site, add);
      const asked = "index.php?module=API&method=API.getMatomoVersion&format=json";
      const { status, body } = await get(site, `${asked}&token_auth=${URL_TOKEN}`);
      assert.equal(status, 200, body);
      assert.equal(JSON.parse(body).value, statedVersion(DIST));
    },
  },
];

const archiving: Claim[] = [
  {
    title: "an archive run by POST says that it is done, and that there was no error",
    check: async (site) => {
      const { status, body } = await post(site, `${RUN}&token_auth=${ARCHIVE_TOKEN}`);
      assert.equal(status, 200);
      assert.match(
        body,
        /START[^]*Done archiving!\n[^]*SUMMARY\n[^]*done: 4 req, \d+ ms, no error\n/,
      );
      assert.match(body, /Archived website id 1, period = day, [^\n]*1 visits found/);
    },
  },
  {
    title: "its reports are in tables of the month, and its end in an option",
    check: async (site) => {
      const month = new Date().toISOString().slice(0, 7).replace("-", "_");
      for (const kind of ["numeric", "blob"]) {
        const made = await site.value(`SELECT COUNT(*) > 0 FROM matomo_archive_${kind}_${month}`);
        assert.equal(made, "1", kind);
      }
      assert.match(await option(site, "LastCompletedFullArchiving"), /^\d{10}$/);
    },
  },
  {
    title: "a run right after a run has nothing to do and says so in the same words",
    check: async (site) => {
      const { status, body } = await post(site, `${RUN}&token_auth=${ARCHIVE_TOKEN}`);
      assert.equal(status, 200);
      assert.match(body, /Done archiving!\n[^]*done: 0 req, \d+ ms, no error\n/);
    },
  },
  {
    title: "archive.php archives with a token that a URL may carry",
    needs: "misc/cron/archive.php",
    check: async (site) => {
      const { status, body } = await get(site, `misc/cron/archive.php?token_auth=${URL_TOKEN}`);
      assert.equal(status, 200);
      assert.match(body, /Done archiving!\n[^]*done: 0 req, \d+ ms, no error\n/);
    },
  },
  {
    title: "a database older than the code is no reason to stop where updates by the UI are off",
    check: async (site) => {
      const now = await option(site, "version_core");
      await setOption(site, "version_core", "4.99.0");
      try {
        const page = await get(site, "index.php");
        assert.deepEqual([page.status, page.body.includes("login_form_login")], [200, true]);
        const run = await post(site, `${RUN}&token_auth=${ARCHIVE_TOKEN}`);
        assert.match(run.body, /Done archiving!/);
      } finally {
        await setOption(site, "version_core", now);
      }
    },
  },
  {
    title: "the console archives in the same words",
    check: async (site) =>
      assert.match(await ok(site.console("core:archive")), /Done archiving!\n[^]*no error\n/),
  },
  {
    title: "the scheduled tasks run by the console",
    check: async (site) => void (await ok(site.console("core:run-scheduled-tasks"))),
  },
  {
    title: "the GeoIP task without an address fetches nothing, and cannot set up what is not there",
    check: async (site) => {
      await site.value("DELETE FROM matomo_option WHERE option_name LIKE 'geoip2.%'");
      await setOption(site, "geoip2.autosetup", "1");
      const internet = ["--section=General", "--key=enable_internet_features"];
      await ok(site.console("config:set", ...internet, "--value=1"));
      try {
        const task = "Piwik\\Plugins\\GeoIp2\\GeoIP2AutoUpdater.update";
        const { output } = await site.console("core:run-scheduled-tasks", "--force", task);
        assert.match(output, /Invalid provider ID 'geoip2php'/);
        assert.equal(await option(site, "geoip2.autosetup"), "");
      } finally {
        await ok(site.console("config:delete", ...internet));
      }
    },
  },
];

const reports: Claim[] = [
  {
    title: "the API lists websites and tells of one",
    check: async (site) => {
      assert.deepEqual((await api(site, "SitesManager.getAllSitesId")).map(Number), [1]);
      const website = await api(site, "SitesManager.getSiteFromId", "&idSite=1");
      assert.deepEqual(
        [Number(website.idsite), website.name, website.timezone],
        [1, "Website", "UTC"],
      );
    },
  },
  {
    title: "the API tells a day's visits and a page's hits as they were archived",
    check: async (site) => {
      const day = "&idSite=1&period=day&date=today";
      const summary = await api(site, "VisitsSummary.get", day);
      assert.equal(Number(summary.nb_visits), 1);
      const url = `&pageUrl=${encodeURIComponent(PAGE)}`;
      const page = await api(site, "Actions.getPageUrl", day + url);
      assert.equal(page[0].nb_hits, 1);
      assert.deepEqual(
        await api(site, "Actions.getPageUrl", `${day}&pageUrl=https%3A%2F%2Fexample.com%2Fnone`),
        [],
      );
    },
  },
  {
    title: "the API finds a visit by its visitor, and deletes it with what it saw",
    check: async (site) => {
      const segment = `&idSite=1&period=day&date=today&segment=visitorId%3D%3D${VISITOR}`;
      const [found] = await api(site, "Live.getLastVisitsDetails", segment);
      const which = `&visits[0][idsite]=1&visits[0][idvisit]=${found.idVisit}`;
      const deleted = await api(site, "PrivacyManager.deleteDataSubjects", which);
      assert.deepEqual([Number(deleted.log_visit), Number(deleted.log_link_visit_action)], [1, 1]);
      assert.equal(await visitsOf(site, VISITOR), "0");
    },
  },
  {
    title: "reports that were invalidated are made again by the next run",
    check: async (site) => {
      const today = new Date().toISOString().slice(0, 10);
      await api(site, "CoreAdminHome.invalidateArchivedReports", `&idSites=1&dates=${today}`);
      await visit(site, "00000000000000c2");
      const { body } = await post(site, `${RUN}&token_auth=${ARCHIVE_TOKEN}`);
      assert.match(body, /done: [1-9]\d* req, \d+ ms, no error\n/);
    },
  },
];

const privacy: Claim[] = [
  {
    title: "two bytes of an address are masked unless told otherwise",
    check: async (site) => {
      await visit(site, "00000000000000d1");
      const stored =
        "SELECT INET6_NTOA(location_ip) FROM matomo_log_visit WHERE idvisitor = UNHEX('00000000000000d1')";
      assert.equal(await site.value(stored), "127.0.0.0");
    },
  },
  {
    title: "cookieless tracking ignores the identity that a page sends",
    check: async (site) => {
      const set = (on: boolean) => ownPrivacy(site, "forceCookielessTracking", on);
      await set(true);
      await visit(site, "00000000000000d2");
      await set(false);
      assert.equal(await visitsOf(site, "00000000000000d2"), "0");
    },
  },
  {
    title: "Do Not Track is heeded when it is switched on: an answer, and no visit",
    check: async (site) => {
      const set = (on: boolean) => ownPrivacy(site, "doNotTrackEnabled", on);
      await set(true);
      const { status } = await visit(site, "00000000000000d3", { DNT: "1" });
      await set(false);
      assert.equal(status, 200);
      assert.equal(await visitsOf(site, "00000000000000d3"), "0");
    },
  },
];

const console_: Claim[] = [
  {
    title: "core:version tells the version",
    check: async (site) =>
      assert.match(
        await ok(site.console("core:version")),
        new RegExp(`^${statedVersion(DIST)}\\s*$`),
      ),
  },
  {
    title: "a command that is none is an error",
    check: async (site) => {
      const { status, output } = await site.console("no:such");
      assert.notEqual(status, 0);
      assert.match(
        output,
        /(Command "no:such" is not defined|no commands defined in the "no" namespace)/,
      );
    },
  },
  {
    title: "config:set and config:delete edit config.ini.php",
    check: async (site) => {
      const which = ["--section=Claims", "--key=one"];
      await ok(site.console("config:set", ...which, "--value=yes"));
      assert.match(config(site), /^\[Claims\]\none = "yes"$/m);
      await ok(site.console("config:delete", ...which));
      assert.doesNotMatch(config(site), /^one = /m);
    },
  },
  {
    title: "core:update with nothing to do ends well and says so",
    check: async (site) =>
      assert.match(
        await ok(site.console("core:update", "--yes")),
        /Everything is already up to date\./,
      ),
  },
  {
    title: "diagnostics:run says what is wrong, with --all what is well",
    check: async (site) => {
      const short = (await site.console("diagnostics:run")).output;
      const all = (await site.console("diagnostics:run", "--all")).output;
      assert.doesNotMatch(short, /^Max Packet Size: OK/m);
      for (const line of [
        "Memory limit: OK",
        "Max Packet Size: OK",
        "Forced SSL Connection: OK",
        'Writable JavaScript Tracker ("/matomo.js"): OK',
      ]) {
        assert.ok(all.includes(line), `${line}\n${all}`);
      }
      assert.match(all, /warnings? detected/);
    },
  },
  {
    title: "a plugin on the volume is found, activated, noted as installed, and deactivated",
    check: async (site) => {
      addPlugin(site, "ClaimsPlugin");
      await ok(site.console("plugin:activate", "ClaimsPlugin"));
      assert.match(config(site), /^Plugins\[\] = "ClaimsPlugin"$/m);
      assert.match(config(site), /^PluginsInstalled\[\] = "ClaimsPlugin"$/m);
      assert.match(await ok(site.console("plugin:list")), /ClaimsPlugin +\| [^\n]*Activated/);
      await ok(site.console("plugin:deactivate", "ClaimsPlugin"));
      assert.doesNotMatch(config(site), /^Plugins\[\] = "ClaimsPlugin"$/m);
      assert.match(config(site), /^PluginsInstalled\[\] = "ClaimsPlugin"$/m);
    },
  },
  {
    title: "a plugin that is not there is not activated, which is no error for the console",
    check: async (site) => {
      const output = await ok(site.console("plugin:activate", "NoSuchPlugin"));
      assert.match(output, /Cannot find plugin files for NoSuchPlugin/);
      assert.doesNotMatch(config(site), /NoSuchPlugin/);
    },
  },
  {
    title: "custom-matomo-js:update adds an activated plugin's script to matomo.js",
    check: async (site) => {
      const words = "var claimsOfTheTracker = 1;";
      addPlugin(site, "ClaimsPlugin", { "tracker.js": `/*! !! */ ${words}\n` });
      const tracker = () => fs.readFileSync(site.path("html", "matomo.js"), "utf8");
      await ok(site.console("plugin:activate", "ClaimsPlugin"));
      await ok(site.console("custom-matomo-js:update"));
      assert.ok(tracker().includes("claimsOfTheTracker"));
      await ok(site.console("plugin:deactivate", "ClaimsPlugin"));
      await ok(site.console("custom-matomo-js:update"));
      assert.ok(!tracker().includes("claimsOfTheTracker"));
    },
  },
  {
    title: "a plugin whose code throws keeps all of Matomo from starting",
    check: async (site) => {
      addPlugin(site, "ClaimsPlugin");
      await ok(site.console("plugin:activate", "ClaimsPlugin"));
      addPlugin(site, "ClaimsPlugin", {
        "config/config.php": "<?php throw new Exception('on purpose');\n",
      });
      const { status } = await get(site, "index.php");
      assert.equal(status, 500);
      await assert.rejects(php(site, "echo 'started';"));
      fs.rmSync(site.path("state", "plugins/ClaimsPlugin/config"), { recursive: true });
      await ok(site.console("plugin:deactivate", "ClaimsPlugin"));
    },
  },
];

const database: Claim[] = [
  {
    title: "new tables are InnoDB's, and hold any character",
    check: async (site) => {
      const odd = await site.value(`SELECT table_name, engine, table_collation
        FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name LIKE 'matomo\\_%'
        AND (engine <> 'InnoDB' OR table_collation NOT LIKE 'utf8mb4\\_%')`);
      assert.equal(odd, "");
    },
  },
  {
    title: "one collation for all new tables",
    check: async (site) => {
      const collations = await site.value(`SELECT COUNT(DISTINCT table_collation)
        FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name LIKE 'matomo\\_%'`);
      assert.equal(collations, "1");
    },
  },
  {
    title: "a second token of the same text is refused",
    check: async (site) => {
      const add = `try { (new Piwik\\Plugins\\UsersManager\\Model())->addTokenAuth('admin', '${ARCHIVE_TOKEN}',
        'claims', '2024-01-01 00:00:00'); echo 'added'; } catch (Throwable $error) { echo 'refused'; }`;
      assert.equal(await php(site, add), "refused");
    },
  },
  {
    title: "a website's time zone is one that PHP lists, in its own spelling",
    check: async (site) => {
      const add = (zone: string) =>
        php(
          site,
          superUser(`try { Piwik\\Plugins\\SitesManager\\API::getInstance()->addSite(siteName: 'Claims',
          urls: ['https://claims.example.com'], timezone: '${zone}'); echo 'added';
          } catch (Throwable $error) { echo 'refused'; }`),
        );
      assert.equal(await add("europe/berlin"), "refused");
      assert.equal(await add("Europe/Berlin"), "added");
    },
  },
  {
    title: "a password is six characters at least, and a person's work only with the rights",
    check: async (site) => {
      const add = (
        login: string,
        word: string,
      ) => `try { Piwik\\Plugins\\UsersManager\\API::getInstance()
        ->addUser('${login}', '${word}', '${login}@example.com'); echo 'added'; }
        catch (Throwable $error) { echo 'refused'; }`;
      assert.equal(await php(site, superUser(add("short", "12345"))), "refused");
      assert.equal(await php(site, add("nobody", "123456 and more")), "refused");
      assert.match(await php(site, superUser(add("somebody", "123456 and more"))), /added$/);
    },
  },
];

/** In the order in which they are asked: the visits of one are the reports of a later one. */
export const claims: Claim[] = [
  ...code,
  ...requests,
  ...tokens,
  ...archiving,
  ...reports,
  ...privacy,
  ...console_,
  ...database,
];
