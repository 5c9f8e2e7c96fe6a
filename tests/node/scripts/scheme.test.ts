/**
 * TLS ends before the pod, and Matomo has to take each request for TLS: up to 5.6 by a header that anyone
 * may send, from 5.7 on by none that is not named. Page, tracker and archive work with both.
 */
import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";
import { webConfig } from "../../../components/web-config";
import { restateVersion, statedVersion } from "../version";
import { DIST, REAL, RENDER, Site } from "./site";

const EDGE = "http://matomo:8080";
const INSIDE = "http://matomo:8082";
/** As curl leaves it out. */
const UNSAID = { "X-Forwarded-Proto": "" };
const PROBE = { "User-Agent": "kube-probe/1.34" };

/** The real one is what it is; the look-alike behaves as the version that it says it is. */
const VERSIONS = REAL ? [statedVersion(DIST)] : ["5.0.2", "5.5.1", "5.7.0", "5.10.0"];

/** The code, calling itself this version. */
function code(site: Site, version: string): string {
  if (version === statedVersion(DIST)) return DIST;
  const copy = path.join(site.sandbox.dir, `code-${version}`);
  fs.cpSync(DIST, copy, { recursive: true });
  restateVersion(copy, version);
  return copy;
}

/** Lays out, installs or updates, and starts. */
async function start(site: Site, version: string): Promise<void> {
  site.code = code(site, version);
  for (const step of [() => site.layout(), () => site.install()]) {
    const { status, output } = await step();
    assert.equal(status, 0, output);
  }
  await site.startWeb();
}

async function status(site: Site, url: string, headers: Record<string, string> = {}) {
  return (await site.http("GET", url, { headers })).status;
}

async function works(site: Site): Promise<void> {
  for (const headers of [{}, UNSAID]) {
    const page = await site.http("GET", `${EDGE}/index.php`, { headers });
    assert.equal(page.status, 200, page.headers);
    assert.match(page.body, /login_form/);
    assert.match(page.headers, /Set-Cookie: MATOMO_SESSID=.*secure/i);
    const visit = "matomo.php?idsite=1&rec=1&url=https%3A%2F%2Fexample.com%2F";
    assert.equal(await status(site, `${EDGE}/${visit}`, headers), 200);
    assert.equal(await status(site, `${INSIDE}/index.php`, { ...PROBE, ...headers }), 200);
  }
  const archived = await site.archive();
  assert.equal(archived.status, 0, archived.output);
}

const configFile = (site: Site) => site.path("state", "config/config.ini.php");

describe("the scheme, from version to version", () => {
  const site = new Site();
  before(async () => {
    await site.start();
    await site.startDatabase();
  });
  after(() => site.dispose());

  for (const [i, version] of VERSIONS.entries()) {
    it(`is TLS for Matomo ${version}, ${i ? "upgraded" : "fresh"}`, async () => {
      if (i) {
        const adopted = '[General]\nproxy_client_headers[] = "HTTP_X_FORWARDED_FOR"\n';
        const old = fs.readFileSync(configFile(site), "utf8");
        fs.writeFileSync(configFile(site), old.replace("[General]\n", adopted));
      }
      await start(site, version);
      await works(site);
      await site.stopWeb();
    });
  }

  if (!REAL) {
    it("has let Matomo's update to 5.7 find the proxy's key, which is taken out afterwards", () => {
      const now = fs.readFileSync(configFile(site), "utf8");
      assert.match(now, /^proxy_scheme_headers\[\] = "HTTP_X_FORWARDED_PROTO"$/m);
      assert.doesNotMatch(now, /proxy_client_headers/);
    });
  }
});

describe("the scheme, of a fresh site", () => {
  const site = new Site();
  const version = VERSIONS.at(-1)!;
  before(async () => {
    await site.start();
    await site.startDatabase();
  });
  after(() => site.dispose());

  it(`is TLS for Matomo ${version}`, async () => {
    await start(site, version);
    await works(site);
    await site.stopWeb();
  });

  it("that Matomo is not told makes redirects, which are a failure to probe and archive", async () => {
    const files = webConfig(RENDER);
    const common = files["common.config.ini.php"].replace(/^assume_secure_protocol.*\n/m, "");
    site.sandbox.files("config", { ...files, "common.config.ini.php": common });
    await start(site, version);
    // The real one at hand is older than 5.7, and hears the header.
    const said = REAL ? UNSAID : {};
    assert.equal(await status(site, `${INSIDE}/index.php`, said), 302);
    assert.equal(await status(site, `${INSIDE}/index.php`, { ...PROBE, ...said }), 503);
    assert.equal(await status(site, `${INSIDE}/matomo.php`, { ...PROBE, ...said }), 200);
    const archived = await site.archive();
    assert.equal(archived.status, REAL ? 0 : 1, archived.output);
    if (!REAL) assert.match(archived.output, /archive: ERROR: redirected \(https:/);
    await site.stopWeb();
  });
});
