/**
 * Matomo's own system check is the judge (decision 16): no warning and no error on a site that
 * these scripts made, reached over TLS as visitors reach it.
 */
import assert from "node:assert/strict";
import * as fs from "node:fs";
import { certificateOf } from "../../certificate";
import { geoDatabase } from "./geo-database";
import { HOST, REAL, Site, WEB_USER } from "./site";

describe("system check", () => {
  const site = new Site();
  before(async () => {
    await site.start();
    await site.startDatabase();
    // Without the internet Matomo does not ask for its own private folders, and warns of that.
    site.configure({ geoip: true });
    assert.equal((await site.layout()).status, 0);
    const database = site.path("state", "misc/DBIP-City.mmdb");
    fs.writeFileSync(database, geoDatabase("NZ"));
    fs.chownSync(database, WEB_USER, WEB_USER);
    const installed = await site.install();
    assert.equal(installed.status, 0, installed.output);
    await site.startWeb();
    // What the ingress does: TLS ends here, and the visitor's address goes into a header.
    const tls = site.sandbox.files("tls", await certificateOf(HOST));
    const front = `
      const fs = require("node:fs"), http = require("node:http");
      const tls = { key: fs.readFileSync("/tls/key"), cert: fs.readFileSync("/tls/cert") };
      require("node:https").createServer(tls, (req, res) => {
        const headers = { ...req.headers, "x-forwarded-for": "203.0.113.7", "x-forwarded-proto": "https" };
        req.pipe(http.request({ port: 8080, method: req.method, path: req.url, headers }, (answer) => {
          res.writeHead(answer.statusCode, answer.headers);
          answer.pipe(res);
        }));
      }).listen(443, "127.0.0.1", () => console.log("ready"));`;
    const server = await site.sandbox.spawn({
      user: 65534,
      mounts: { "/tls": `${tls}:ro` },
      command: [process.execPath, "-e", front],
    });
    await new Promise((resolve) => server.stdout!.once("data", resolve));
    fs.copyFileSync(`${tls}/cert`, site.path("webTmp", "ca.pem"));
    const trust = ["--section=General", "--key=custom_cacert_pem", "--value=/tmp/ca.pem"];
    assert.equal((await site.console("config:set", ...trust)).status, 0);
  });
  after(() => site.dispose());

  it("complains of a site that never archived", async () => {
    const { status, output } = await site.console("diagnostics:run");
    assert.equal(status, 1, output);
    assert.match(output, /ERROR/);
  });

  it("has no warning and no error after the first archive", async () => {
    const visit = `https://${HOST}/matomo.php?idsite=1&rec=1&url=https%3A%2F%2F${HOST}%2F`;
    const insecure = ["curl", "--insecure", "--silent", "--fail", "--output", "/dev/null", visit];
    const { status } = await site.sandbox.run({ user: 65534, mounts: {}, command: insecure });
    assert.equal(status, 0);
    assert.equal((await site.archive()).status, 0);
    const { output } = await site.console("diagnostics:run", `--matomo-domain=${HOST}`, "--all");
    assert.doesNotMatch(output, /\b(WARNING|ERROR)\b/);
    assert.match(output, /File integrity: OK/);
  });

  if (REAL) {
    it("knows where the visitor is", async () => {
      assert.equal(await site.value("SELECT location_country FROM matomo_log_visit"), "nz");
    });
  }
});
