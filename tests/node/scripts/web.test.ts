/** The web pod's Apache: addresses, private directories, the state port, plugins, a graceful stop. */
import assert from "node:assert/strict";
import * as fs from "node:fs";
import { Site, STATE_TOKEN, until, WEB_USER } from "./site";

const SITE = "http://matomo:8080";
const INSIDE = "http://matomo:8082";
const STATE = "http://matomo-state:8081";

describe("web pod", () => {
  const site = new Site();
  before(async () => {
    await site.start();
    await site.up();
  });
  after(() => site.dispose());

  describe("the visitor's address", () => {
    let visits = 0;
    /** Records a visit of a new visitor; the address that Matomo stored, with two bytes masked. */
    async function recorded(base: string, headers: Record<string, string>): Promise<string> {
      const id = (++visits).toString(16).padStart(16, "0");
      const url = `${base}/matomo.php?idsite=1&rec=1&_id=${id}&url=https%3A%2F%2Fexample.com%2F`;
      assert.equal((await site.http("GET", url, { headers })).status, 200);
      return site.value(
        `SELECT INET6_NTOA(location_ip) FROM matomo_log_visit WHERE idvisitor = UNHEX('${id}')`,
      );
    }

    it("is the one that a trusted proxy brings", async () => {
      const headers = { "X-Forwarded-For": "203.0.113.7" };
      assert.equal(await recorded(SITE, headers), "203.0.0.0");
    });
    it("is the last one that is no proxy of ours, with two proxies on the way", async () => {
      site.configure({ proxies: ["127.0.0.1/32", "198.51.100.0/24"] });
      await site.stopWeb();
      await site.startWeb();
      const headers = { "X-Forwarded-For": "192.0.2.1, 203.0.113.7, 198.51.100.9" };
      assert.equal(await recorded(SITE, headers), "203.0.0.0");
    });
    it("is an IPv6 one as well", async () => {
      const headers = { "X-Forwarded-For": "2001:db8:aaaa:bbbb::7" };
      assert.match(await recorded(SITE, headers), /^2001:db8:aaaa:/);
    });
    for (const header of ["X-Forwarded-For", "CF-Connecting-IP", "Client-IP", "X-Real-IP"]) {
      it(`is not what a pod inside the cluster claims by ${header}`, async () => {
        assert.equal(await recorded(INSIDE, { [header]: "6.6.6.6" }), "127.0.0.0");
      });
    }
    it("is not believed from a peer that is no trusted proxy", async () => {
      site.configure({ proxies: ["198.51.100.0/24"] });
      await site.stopWeb();
      await site.startWeb();
      assert.equal(await recorded(SITE, { "X-Forwarded-For": "6.6.6.6" }), "127.0.0.0");
      site.configure({});
      await site.stopWeb();
      await site.startWeb();
    });
  });

  describe("private files", () => {
    const paths = [
      ...["tmp/", "tmp/cache/", "tmp/empty", "config/config.ini.php", "config/global.ini.php"],
      ...[
        "config/config.php",
        "lang/en.json",
        "core/Version.php",
        "core/bootstrap.php",
        ".git/HEAD",
      ],
      ...["tmp/%2e%2e/config/config.ini.php", "//config/config.ini.php"],
    ];
    for (const path of paths) {
      it(`${path} answers 403 or 404`, async () => {
        const { status } = await site.http("GET", `${SITE}/${path}`);
        assert.ok(status === 403 || status === 404, `${path}: HTTP ${status}`);
      });
    }
    it("what people upload is served, but never run", async () => {
      const upload = (name: string, text: string) => {
        fs.writeFileSync(site.path("state", "misc/user", name), text);
        fs.chownSync(site.path("state", "misc/user", name), WEB_USER, WEB_USER);
      };
      upload("logo.png", "a logo");
      upload("evil.php", "<?php echo 6*7;");
      assert.equal((await site.http("GET", `${SITE}/misc/user/logo.png`)).body, "a logo");
      const evil = await site.http("GET", `${SITE}/misc/user/evil.php`);
      assert.equal(evil.status, 403);
      assert.doesNotMatch(evil.body, /42|6\*7/);
    });
    it("a third-party plugin's images are served, its PHP is not run", async () => {
      const plugin = site.path("state", "plugins/Extra");
      fs.mkdirSync(`${plugin}/images`, { recursive: true });
      fs.writeFileSync(`${plugin}/images/icon.svg`, "<svg/>");
      fs.writeFileSync(`${plugin}/Extra.php`, "<?php echo 6*7;");
      const image = await site.http("GET", `${SITE}/added-plugins/Extra/images/icon.svg`);
      assert.deepEqual([image.status, image.body], [200, "<svg/>"]);
      assert.equal((await site.http("GET", `${SITE}/added-plugins/Extra/Extra.php`)).status, 403);
      fs.rmSync(plugin, { recursive: true });
    });
  });

  describe("the state port", () => {
    const authorized = { headers: { Authorization: `Bearer ${STATE_TOKEN}` } };
    it("streams a tar to who has the token", async () => {
      const { status, headers } = await site.http("GET", `${STATE}/`, authorized);
      assert.equal(status, 200);
      assert.match(headers, /Content-Type: application\/x-tar/);
    });
    it("refuses others", async () => {
      assert.equal((await site.http("GET", `${STATE}/`)).status, 401);
      const wrong = { headers: { Authorization: `Bearer ${STATE_TOKEN}x` } };
      assert.equal((await site.http("GET", `${STATE}/`, wrong)).status, 401);
    });
    it("answers nothing but GET /", async () => {
      const post = await site.http("POST", `${STATE}/`, { ...authorized, data: "x=1" });
      assert.equal(post.status, 405);
      for (const path of ["index.php", "install.php", "state-export.php", "apache2.pid"]) {
        const { status } = await site.http("GET", `${STATE}/${path}`, authorized);
        assert.ok(status === 403 || status === 404, `${path}: HTTP ${status}`);
      }
    });
    it("is not reachable through the site's ports", async () => {
      for (const base of [SITE, INSIDE]) {
        const { status, headers } = await site.http("GET", `${base}/`, authorized);
        assert.equal(status, 200);
        assert.doesNotMatch(headers, /x-tar/);
      }
    });
  });

  it("redirects the browser to TLS, but not the tracker", async () => {
    const plain = { headers: { "X-Forwarded-Proto": "http" } };
    assert.equal((await site.http("GET", `${SITE}/index.php`, plain)).status, 302);
    const url = `${SITE}/matomo.php?idsite=1&rec=1&url=https%3A%2F%2Fexample.com%2F`;
    assert.equal((await site.http("GET", url, plain)).status, 200);
  });

  it("logs neither query strings nor visitors' addresses nor tokens", () => {
    const log = site.web!.output();
    assert.match(log, /"GET \/matomo\.php" 200/);
    assert.doesNotMatch(log, /idsite|203\.0\.113|6\.6\.6\.6|token/);
  });

  it("keeps PHP's settings in Apache and in the console", async () => {
    const script = 'foreach (["memory_limit","max_execution_time"] as $k) echo ini_get($k), "\\n";';
    assert.match((await site.exec("php", "-r", script)).output, /^128M\n/);
    const probe = site.path("html", "probe.php");
    fs.writeFileSync(probe, `<?php ${script} echo ini_get("opcache.memory_consumption");`);
    const { body } = await site.http("GET", `${INSIDE}/probe.php`);
    fs.rmSync(probe);
    assert.equal(body, "128M\n900\n256");
  });

  it("answers at most its number of workers at once, and stays up", async () => {
    const probe = site.path("html", "slow.php");
    fs.writeFileSync(probe, "<?php usleep(500000); echo getmypid();");
    const answers = await Promise.all(
      Array.from({ length: 9 }, () => site.http("GET", `${INSIDE}/slow.php`)),
    );
    fs.rmSync(probe);
    assert.ok(answers.every(({ status }) => status === 200));
    assert.ok(new Set(answers.map(({ body }) => body)).size <= 4);
  });

  for (const signal of ["SIGTERM", "SIGWINCH"] as const) {
    it(`answers a running request before it stops by ${signal}`, async () => {
      const probe = site.path("html", "long.php");
      fs.writeFileSync(probe, "<?php touch('/tmp/started'); sleep(3); echo 'whole';");
      const request = site.http("GET", `${INSIDE}/long.php`);
      const started = site.path("webTmp", "started");
      await until("the request", async () => fs.existsSync(started));
      const stopped = site.stopWeb(signal);
      assert.equal((await request).body, "whole");
      assert.equal((await stopped).status, 0);
      fs.rmSync(probe);
      fs.rmSync(started);
      await site.startWeb();
    });
  }
});
