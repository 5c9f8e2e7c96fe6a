/**
 * A site without the internet (`egress.geoip: false`): no page of an administrator asks for a name outside,
 * which the network would let it wait for. A name server that never answers notes who asks.
 */
import assert from "node:assert/strict";
import { eventually, seconds } from "../../waits";
import { NAME_SERVER, type Running } from "./sandbox";
import { HOST, Site } from "./site";

/** Among them those that show versions, the Marketplace, news and the GeoIP database. */
const PAGES = [
  "module=CoreHome&action=index&idSite=1&period=day&date=yesterday",
  "module=CoreAdminHome&action=home",
  "module=CoreAdminHome&action=generalSettings",
  "module=CorePluginsAdmin&action=plugins",
  "module=CorePluginsAdmin&action=themes",
  "module=Installation&action=systemCheckPage",
  "module=UserCountry&action=adminIndex",
  "module=UsersManager&action=index",
  "module=SitesManager&action=index",
  "module=PrivacyManager&action=privacySettings",
];

/** Logs in and asks for the pages, one after the other: "status milliseconds page". */
const ADMINISTRATOR = `
  const http = require("node:http");
  const [host, login, pages, limit] = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
  const cookies = {};
  const ask = (query, body) => new Promise((resolve, reject) => {
    const started = performance.now();
    const cookie = Object.entries(cookies).map(([name, value]) => name + "=" + value).join("; ");
    const headers = { Host: host, "X-Forwarded-Proto": "https", Cookie: cookie, Referer: "https://" + host + "/" };
    if (body) headers["Content-Type"] = "application/x-www-form-urlencoded";
    const options = { port: 8080, path: "/index.php?" + query, method: body ? "POST" : "GET", headers };
    const request = http.request({ ...options, timeout: limit * 1000 }, (answer) => {
      for (const line of answer.headers["set-cookie"] ?? []) {
        const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
        cookies[name] = value;
      }
      let text = "";
      answer.on("data", (part) => (text += part));
      answer.on("end", () => resolve({ status: answer.statusCode, text, ms: Math.round(performance.now() - started) }));
    });
    request.on("timeout", () => request.destroy(new Error("no answer")));
    request.on("error", reject);
    request.end(body);
  });
  (async () => {
    const { text } = await ask("module=Login");
    const [, nonce] = /name="form_nonce"[^>]*value="([^"]*)"/.exec(text) ?? /value="([^"]*)"[^>]*name="form_nonce"/.exec(text);
    const fields = { form_login: login[0], form_password: login[1], form_nonce: nonce, form_redirect: "", form_rememberme: "1" };
    const { status } = await ask("module=Login", new URLSearchParams(fields).toString());
    console.log("login " + status);
    for (const page of pages) {
      const answer = await ask(page);
      console.log([answer.status, answer.ms, page].join(" "));
    }
  })();`;

describe("a site without the internet", () => {
  const site = new Site();
  let names: Running;

  before(async () => {
    await site.start();
    const server = `
      const server = require("node:dgram").createSocket("udp4");
      server.on("message", (query) => {
        const labels = [];
        for (let at = 12; query[at]; at += query[at] + 1) labels.push(query.toString("latin1", at + 1, at + 1 + query[at]));
        console.log(labels.join("."));
      });
      server.bind(53, "${NAME_SERVER}", () => console.log("ready"));`;
    names = await site.sandbox.spawn({
      user: 65534,
      mounts: {},
      command: [process.execPath, "-e", server],
    });
    await eventually("the name server", () => names.output().includes("ready"), "serverAnswers");
    site.configure({ geoip: false });
    await site.up();
  });
  after(() => site.dispose());

  /** Names that were asked for, each once. */
  const asked = () => [...new Set(names.output().trim().split("\n").slice(1))].sort();

  /** The administrator's pages; each of them came. */
  async function readPages(): Promise<void> {
    const login = [site.secret("matomo/matomo-username"), site.secret("matomo/matomo-password")];
    const { output } = await site.sandbox.run({
      user: 65534,
      mounts: {},
      command: [process.execPath, "-e", ADMINISTRATOR],
      input: JSON.stringify([HOST, login, PAGES, seconds("requestAnswered")]),
    });
    console.log(output.replace(/^/gm, "      "));
    const [first, ...pages] = output.trim().split("\n");
    assert.equal(first, "login 302");
    const came = pages.map((line) => line.replace(/ \d+ /, " "));
    assert.deepEqual(
      came,
      PAGES.map((page) => `200 ${page}`),
    );
  }

  it("asks nobody while it is installed, and while an administrator reads", async () => {
    await readPages();
    assert.deepEqual(asked(), []);
  });

  it("and whoever would ask is seen", async () => {
    const { status } = await site.exec("timeout", "1", "getent", "hosts", "plugins.matomo.org");
    assert.notEqual(status, 0);
    assert.deepEqual(asked(), ["plugins.matomo.org"]);
  });
});
