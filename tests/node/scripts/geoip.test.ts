/**
 * The GeoIP database as Matomo's own task fetches and renews it, from a server of the test's own in the
 * place of DB-IP's. That the web pod reaches such a server, and no other way out, is network.test.ts'.
 */
import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";
import { gzipSync } from "node:zlib";
import { certificateOf } from "../../certificate";
import { eventually } from "../../waits";
import { geoDatabase } from "./geo-database";
import type { Running } from "./sandbox";
import { REAL, Site, WEB_USER } from "./site";

const PROVIDER = "download.db-ip.com";

describe("the GeoIP database", () => {
  const site = new Site();
  let served: string;
  let renewed: Buffer;
  let provider: Running;

  before(async () => {
    await site.start();
    await startProvider();
    const trust = { General: { custom_cacert_pem: "/tmp/ca.pem" } };
    site.configure({ geoip: true, config: trust });
    await site.up();
  });
  after(() => site.dispose());

  /** Serves what is in the folder `served`, and says what it was asked for. */
  async function startProvider(): Promise<void> {
    const tls = site.sandbox.files("tls", await certificateOf(PROVIDER));
    fs.copyFileSync(path.join(tls, "cert"), site.path("webTmp", "ca.pem"));
    served = site.sandbox.files("served", {});
    const server = `
      const fs = require("node:fs");
      const tls = { key: fs.readFileSync("/tls/key"), cert: fs.readFileSync("/tls/cert") };
      require("node:https").createServer(tls, ({ url, headers }, answer) => {
        console.log(headers.host + url);
        if (!fs.existsSync("/served/database")) return answer.writeHead(503).end();
        answer.end(fs.readFileSync("/served/database"));
      }).listen(443, "127.0.0.1", () => console.log("ready"));`;
    provider = await site.sandbox.spawn({
      user: 65534,
      mounts: { "/tls": `${tls}:ro`, "/served": `${served}:ro` },
      command: [process.execPath, "-e", server],
    });
    await eventually("the provider", () => provider.output().includes("ready"), "serverAnswers");
  }

  /** Has the provider serve a database, which is returned. */
  function serve(country: string): Buffer {
    const database = geoDatabase(country);
    fs.writeFileSync(path.join(served, "database"), gzipSync(database));
    return database;
  }
  /** Runs Matomo's task now; an archive run does when it is due. */
  const update = () =>
    site.console(
      "core:run-scheduled-tasks",
      "--force",
      "Piwik\\Plugins\\GeoIp2\\GeoIP2AutoUpdater.update",
    );
  const option = (name: string) =>
    site.value(`SELECT option_value FROM matomo_option WHERE option_name = '${name}'`);
  const asked = () => provider.output().split("\n").slice(1, -1);
  const databases = () =>
    fs.readdirSync(site.path("state", "misc")).filter((name) => name.endsWith(".mmdb"));
  const kept = () => fs.readFileSync(site.path("state", "misc", databases()[0]));
  /** What a restart of the web pod is. */
  async function start(): Promise<void> {
    await site.stopWeb();
    for (const step of [() => site.layout(), () => site.install()]) {
      const { status, output } = await step();
      assert.equal(status, 0, output);
    }
    await site.startWeb();
  }

  let visitors = 0;
  /** Where Matomo takes a new visitor to be. */
  async function located(): Promise<string> {
    const id = (++visitors).toString(16).padStart(16, "0");
    // A visitor whom Matomo knows stays where it was.
    const headers = {
      "X-Forwarded-For": `203.0.113.${visitors}`,
      "User-Agent": `Mozilla/5.0 (X11; Linux x86_64; rv:13${visitors}.0) Firefox/13${visitors}.0`,
    };
    const url = `http://matomo:8080/matomo.php?idsite=1&rec=1&_id=${id}&url=https%3A%2F%2Fexample.com`;
    assert.equal((await site.http("GET", url, { headers })).status, 200);
    return site.value(
      `SELECT location_country FROM matomo_log_visit WHERE idvisitor = UNHEX('${id}')`,
    );
  }

  it("is asked for each hour until it is there, from DB-IP", async () => {
    assert.equal(await option("geoip2.autosetup"), "1");
    assert.equal(await option("geoip2.updater_period"), "month");
    const month = new Date().toISOString().slice(0, 7);
    const file = `${PROVIDER}/free/dbip-city-lite-${month}.mmdb.gz`;
    assert.equal(await option("geoip2.loc_db_url"), `https://${file}`);
    await update();
    assert.deepEqual(asked(), [file]);
    assert.deepEqual(databases(), []);
    assert.equal(await option("geoip2.autosetup"), "1");
  });

  it("is fetched onto the volume, and tells where a visitor is", async () => {
    serve("NZ");
    const { status, output } = await update();
    assert.equal(status, 0, output);
    assert.deepEqual(databases(), ["DBIP-City.mmdb"]);
    assert.equal(await option("geoip2.autosetup"), "");
    assert.equal(await option("usercountry.location_provider"), "geoip2php");
    if (REAL) assert.equal(await located(), "nz");
  });

  it("is renewed", async () => {
    renewed = serve("FR");
    const before = asked().length;
    const { status, output } = await update();
    assert.equal(status, 0, output);
    assert.equal(asked().length, before + 1);
    assert.ok(kept().equals(renewed));
    if (REAL) assert.equal(await located(), "fr");
  });

  it("is kept while the server has none", async () => {
    fs.rmSync(path.join(served, "database"));
    await update();
    assert.ok(kept().equals(renewed));
  });

  it("and where it comes from stay as they are at the next start", async () => {
    const own = "https://download.maxmind.com/app/geoip_download?edition_id=GeoLite2-City";
    await site.value(
      `UPDATE matomo_option SET option_value = '${own}' WHERE option_name = 'geoip2.loc_db_url'`,
    );
    await start();
    assert.equal(await option("geoip2.loc_db_url"), own);
    assert.equal(await option("geoip2.autosetup"), "");
    assert.ok(kept().equals(renewed));
  });

  it("that was put there by hand is used, and renewed too", async () => {
    await site.value("DELETE FROM matomo_option WHERE option_name LIKE 'geoip2.%'");
    await site.value("DELETE FROM matomo_option WHERE option_name LIKE 'usercountry.%'");
    fs.writeFileSync(site.path("state", "misc/DBIP-City.mmdb"), geoDatabase("DE"));
    fs.chownSync(site.path("state", "misc/DBIP-City.mmdb"), WEB_USER, WEB_USER);
    await start();
    assert.equal(await option("usercountry.location_provider"), "geoip2php");
    assert.match(await option("geoip2.loc_db_url"), /^https:\/\/download\.db-ip\.com\//);
    if (REAL) assert.equal(await located(), "de");
  });

  it("is not asked for where the settings say no", async () => {
    site.configure({ geoip: false });
    await start();
    const before = asked().length;
    await update();
    assert.equal(asked().length, before);
    assert.equal(await option("geoip2.autosetup"), "");
  });
});
