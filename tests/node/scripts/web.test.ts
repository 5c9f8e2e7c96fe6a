/** The web pod's Apache: addresses, private directories, the state port, plugins, a graceful stop. */
import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";
import { OPCACHE_MIB } from "../../../components/capacity";
import { render } from "../../render";
import { Sandbox } from "./sandbox";
import { eventually, seconds } from "../../waits";
import { CAPACITY, HOST, SCRIPTS, Site, STATE_TOKEN, WEB_USER } from "./site";

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
    for (const pod of ["10.244.0.9", "172.20.0.9", "192.168.0.9", "::ffff:10.244.0.9"]) {
      it(`is the pod's own for ${pod}, whatever it claims through a controller that appends`, async () => {
        // One of them claims to have come through the public proxy of the settings.
        for (const claimed of ["6.6.6.6", "6.6.6.6, 198.51.100.9", "6.6.6.6, 10.244.0.1"]) {
          const headers = { "X-Forwarded-For": `${claimed}, ${pod}` };
          const network = pod.replace("::ffff:", "").split(".").slice(0, 2).join(".");
          assert.equal(await recorded(SITE, headers), `${network}.0.0`, claimed);
        }
      });
    }
    it("is not what a visitor claims through a load balancer that hides the visitor", async () => {
      const headers = { "X-Forwarded-For": "6.6.6.6,10.108.0.2, 198.51.100.9" };
      assert.equal(await recorded(SITE, headers), "10.108.0.0");
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
    it("ends when tar has more to say than a pipe holds", async () => {
      const shim = site.path("webTmp", "shims/tar");
      fs.mkdirSync(path.dirname(shim));
      const says = "head --bytes=200000 /dev/zero | tr '\\0' x >&2; exit 2";
      fs.writeFileSync(shim, `#!/bin/bash\n${says}\n`, { mode: 0o755 });
      const script = `
        function getallheaders() { return ["Authorization" => "Bearer ${STATE_TOKEN}"]; }
        $_SERVER["REQUEST_METHOD"] = "GET";
        require "/opt/matomo/scripts/state-export.php";`;
      const shims = "PATH=/tmp/shims:/usr/bin:/bin";
      const { output } = await site.exec(
        "timeout",
        String(seconds("requestAnswered")),
        "env",
        shims,
        "php",
        "-r",
        script,
      );
      fs.rmSync(path.dirname(shim), { recursive: true });
      assert.match(output, /state-export: tar ended with 2, .*: x{2000}$/m);
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

  it("answers for the one file of a plugin that browsers ask for, with Matomo at hand", async () => {
    const write = (file: string, text: string) => {
      const to = site.path("state", "plugins", file);
      fs.mkdirSync(path.dirname(to), { recursive: true });
      fs.writeFileSync(to, text);
    };
    const front = `<?php if (!defined('PIWIK_INCLUDE_PATH')) { define('PIWIK_INCLUDE_PATH', realpath('../..')); }
      define('PIWIK_DOCUMENT_ROOT', PIWIK_INCLUDE_PATH); define('PIWIK_ENABLE_DISPATCH', false);
      require PIWIK_DOCUMENT_ROOT . '/bootstrap.php'; require PIWIK_INCLUDE_PATH . '/core/bootstrap.php';
      echo 'front of ', Piwik\\Version::VERSION;`;
    for (const name of [
      "HeatmapSessionRecording/configs",
      "HeatmapSessionRecording/other",
      "Other/configs",
    ]) {
      write(`${name}.php`, front);
    }
    // What an adopted site has beside its plugins.
    fs.mkdirSync(site.path("state", "core"), { recursive: true });
    fs.writeFileSync(site.path("state", "core/bootstrap.php"), "<?php exit('old code');");
    for (const plugins of ["plugins", "added-plugins"]) {
      const ask = (file: string) => site.http("GET", `${SITE}/${plugins}/${file}?idsite=1`);
      const { status, body } = await ask("HeatmapSessionRecording/configs.php");
      assert.equal(status, 200, body);
      assert.match(body, /^front of \d/);
      for (const other of ["HeatmapSessionRecording/other.php", "Other/configs.php"]) {
        assert.ok([403, 404].includes((await ask(other)).status), `${plugins}/${other}`);
      }
    }
    fs.rmSync(site.path("state", "core"), { recursive: true });
  });

  it("redirects the browser to TLS, but not the tracker", async () => {
    const plain = { headers: { "X-Forwarded-Proto": "http" } };
    for (const page of ["", "index.php", "index.php?module=Login&action=a%20b"]) {
      const { status, headers } = await site.http("GET", `${SITE}/${page}`, plain);
      assert.equal(status, 302, page);
      assert.equal(/^Location: (.*)$/im.exec(headers)?.[1].trim(), `https://${HOST}/${page}`);
    }
    const objection = `${SITE}/index.php?module=CoreAdminHome&action=optOut`;
    assert.equal((await site.http("GET", objection, plain)).status, 200);
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
    const limit = `${CAPACITY.phpMemoryMib}M`;
    assert.equal((await site.exec("php", "-r", script)).output.split("\n")[0], limit);
    const probe = site.path("html", "probe.php");
    fs.writeFileSync(probe, `<?php ${script} echo ini_get("opcache.memory_consumption");`);
    const { body } = await site.http("GET", `${SITE}/probe.php`);
    fs.rmSync(probe);
    assert.equal(body, `${limit}\n900\n${OPCACHE_MIB}`);
  });

  it("gives what the archive job asks for an archiver's memory, and no visitor", async () => {
    const probe = site.path("html", "probe.php");
    fs.writeFileSync(probe, `<?php require "bootstrap.php"; echo ini_get("memory_limit");`);
    const limits = [SITE, INSIDE].map(async (base) => {
      return (await site.http("GET", `${base}/probe.php?ARCHIVE_MEMORY=1G`)).body;
    });
    const { phpMemoryMib, archiverMemoryMib } = CAPACITY;
    assert.deepEqual(await Promise.all(limits), [`${phpMemoryMib}M`, `${archiverMemoryMib}M`]);
    fs.rmSync(probe);
  });

  it("answers at most its number of pages at once, and stays up", async () => {
    const probe = site.path("html", "slow.php");
    const now = "/tmp/now-' . getmypid()";
    fs.writeFileSync(
      probe,
      `<?php touch('${now}); usleep(500000); echo count(glob('/tmp/now-*')); unlink('${now});`,
    );
    const answers = await Promise.all(
      Array.from({ length: 9 }, () => site.http("GET", `${SITE}/slow.php`)),
    );
    fs.rmSync(probe);
    assert.ok(answers.every(({ status }) => status === 200));
    const most = Math.max(...answers.map(({ body }) => Number(body)));
    assert.equal(most, CAPACITY.pages);
  });

  for (const signal of ["SIGTERM", "SIGWINCH"] as const) {
    it(`answers a running request before it stops, however often it is told by ${signal}`, async () => {
      const probe = site.path("html", "long.php");
      const go = site.path("webTmp", "go");
      // In steps: the signal that a worker gets cuts one sleep short.
      const busy = "for (; !file_exists('/tmp/go'); clearstatcache()) usleep(1e5);";
      fs.writeFileSync(probe, `<?php touch('/tmp/started'); ${busy} echo 'whole';`);
      const request = site.http("GET", `${INSIDE}/long.php`);
      const started = site.path("webTmp", "started");
      try {
        await eventually("the request", () => fs.existsSync(started));
        const stopped = site.stopWeb(signal);
        // Apache itself has the signal then.
        const refused = async () => (await site.http("GET", INSIDE)).status === 0;
        await eventually("no other request is taken", refused);
        site.web!.kill(signal);
        fs.writeFileSync(go, "");
        assert.equal((await request).body, "whole");
        assert.equal((await stopped).status, 0);
      } finally {
        fs.rmSync(probe);
        for (const file of [started, go]) fs.rmSync(file, { force: true });
        await site.startWeb();
      }
    });
  }
});

describe("web pod that is told to stop while it starts", () => {
  const sandbox = new Sandbox();
  let command: string[];
  before(async () => {
    await sandbox.start();
    const deployment = (await render()).find(({ type }) => type.endsWith(":Deployment"))!;
    [{ command }] = deployment.props.spec.template.spec.containers;
  });
  after(() => sandbox.dispose());

  it("ends at once where Apache does not know the signal yet", async () => {
    // Apache before it has a worker: what is to be a log pipe has its name for a moment.
    const pipe = "while kill -0 $$ 2>/dev/null; do sleep 0.05; done >/dev/null 2>&1";
    const { mounts, env } = sandbox.shims({ apache2: `(${pipe}) & echo starts; wait` });
    const pod = await sandbox.spawn({
      image: "matomo",
      user: WEB_USER,
      mounts: { "/opt/matomo/scripts": `${SCRIPTS}:ro`, ...mounts },
      env,
      command: ["bash", "/opt/matomo/scripts/web-start.sh"],
    });
    await eventually("Apache", () => pod.output().includes("starts"));
    pod.kill("SIGTERM");
    const { status, output } = await pod.finished;
    assert.equal(status, 143, output);
  });

  for (const [stopped, began, signal] of [
    ["layout.sh", ["layout.sh"], "SIGTERM"],
    ["layout.sh", ["layout.sh"], "SIGWINCH"],
    ["install.php", ["layout.sh", "install.php"], "SIGTERM"],
    ["install.php", ["layout.sh", "install.php"], "SIGWINCH"],
  ] as const) {
    it(`finishes ${stopped} at ${signal}, and begins nothing else`, async () => {
      const state = sandbox.volume("state", WEB_USER);
      const go = `${state}/go`;
      fs.rmSync(go, { force: true });
      const shell = (step: string) =>
        step === stopped
          ? `echo ${step} began; until [ -e /state/go ]; do sleep 0.05; done; echo ${step} ended`
          : `echo ${step} began; echo ${step} ended`;
      const scripts = sandbox.files("steps", {
        "layout.sh": shell("layout.sh"),
        "install.php": `<?php passthru(${JSON.stringify(shell("install.php"))});`,
        "web-start.sh": shell("web-start.sh"),
      });
      const mounts = { "/opt/matomo/scripts": `${scripts}:ro`, "/state": state };
      const pod = await sandbox.spawn({ image: "matomo", user: WEB_USER, mounts, command });
      await eventually(stopped, () => pod.output().includes(`${stopped} began`));
      pod.kill(signal);
      fs.writeFileSync(go, "");
      const { status, output } = await pod.finished;
      assert.equal(status, 143, output);
      const steps = began.flatMap((step) => [`${step} began`, `${step} ended`]);
      assert.deepEqual(output.trim().split("\n"), steps);
    });
  }
});
