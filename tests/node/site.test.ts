/**
 * What a running site promises: rights, limits, what people saved, every answered visit kept while
 * pods come and go, and a new image that becomes the new Matomo (decisions 1, 2, 6, 7, 8, 14;
 * incidents 10, 13, 14, 15, 17, 20).
 */
import * as assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import * as os from "node:os";
import * as path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { matomoFolder, siteImage } from "../../local/node/images";
import { importImage } from "../../local/node/node";
import { type Live, needsNode, type NodeSite, sharedSite, until } from "./harness";

describe("a running site", () => {
  let site: NodeSite;

  before(needsNode);
  before(async () => {
    site = await sharedSite();
  });

  it("runs under `restricted`, on root file systems that nobody can write", async () => {
    const namespace = JSON.parse(await site.kubectl("get", "namespace", "matomo", "-o", "json"));
    assert.equal(namespace.metadata.labels["pod-security.kubernetes.io/enforce"], "restricted");
    for (const component of ["web", "mariadb"]) {
      const touched = await site.shell(component, "touch /usr/here 2>&1 || true; id -u");
      assert.match(touched, /Read-only file system\n(33|999)$/);
      const status = await site.shell(
        component,
        "grep -E '^(CapEff|NoNewPrivs|Seccomp):' /proc/1/status",
      );
      assert.match(status, /CapEff:\t0+$/m);
      assert.match(status, /NoNewPrivs:\t1$/m);
      assert.match(status, /Seccomp:\t2$/m);
    }
  });

  it("keeps every answered visit while its pods are killed, evicted and rolled", async () => {
    const answered: number[] = [];
    const before = await site.pageViews();
    let asked = 0;
    let stop = false;
    let lastAnswer = Date.now();
    let gap = 0;
    const requests: Promise<void>[] = [];
    const load = (async () => {
      while (!stop) {
        const visitor = `v${(asked++).toString(36)}`;
        requests.push(
          site.track(visitor).then(
            (status) => {
              if (status !== 200) return;
              answered.push(asked);
              gap = Math.max(gap, Date.now() - lastAnswer);
              lastAnswer = Date.now();
            },
            () => undefined, // Refused: no visit was promised.
          ),
        );
        await delay(50);
      }
    })();
    const gaps: Record<string, number> = {};
    const during = async (title: string, disturb: () => Promise<unknown>) => {
      gap = 0;
      lastAnswer = Date.now();
      await disturb();
      const since = answered.length;
      await until(`answers after: ${title}`, 120, async () => answered.length > since + 5);
      gaps[title] = gap / 1000;
    };
    await during("web pod rolled", async () => {
      await site.kubectl("rollout", "restart", "-n", "matomo", "deployment/matomo");
      await site.webReady();
    });
    await during("database pod killed", async () => {
      const pod = ["pod", "-n", "matomo", "matomo-mariadb-0"];
      await site.kubectl("delete", ...pod, "--grace-period=0", "--force");
      await site.kubectl("wait", "--for=create", ...pod, "--timeout=60s");
      await site.kubectl("wait", "--for=condition=Ready", ...pod, "--timeout=120s");
    });
    await during("node drained", async () => {
      await site.kubectl(
        "drain",
        "pool-local-1",
        "--ignore-daemonsets",
        "--delete-emptydir-data",
        "--force",
        "--pod-selector=app.kubernetes.io/name=matomo",
        "--timeout=180s",
      );
      await site.kubectl("uncordon", "pool-local-1");
      await until("the web pod is there again", 60, async () =>
        (await site.list("pods")).some(
          ({ metadata }) => metadata!.labels!["app.kubernetes.io/component"] === "web",
        ),
      );
      await site.webReady();
    });
    stop = true;
    await load;
    await Promise.all(requests);
    const kept = (await site.pageViews()) - before;
    console.log(
      `      ${asked} asked, ${answered.length} answered, ${kept} kept; longest gap in s: ` +
        JSON.stringify(gaps),
    );
    assert.ok(answered.length > 50);
    assert.ok(kept >= answered.length, `${answered.length} answered, ${kept} kept`);
  });

  it("keeps what a person saved through a restart, and sets again what it owns", async () => {
    const console = "cd /var/www/html && php console config:set";
    await site.shell("web", `${console} --section=mail --key=host --value=smtp.example.com`);
    await site.shell("web", `${console} --section=General --key=force_ssl --value=0`);
    await site.restartWeb();
    const config = await site.shell("web", "cat /state/config/config.ini.php");
    assert.match(config, /host = "?smtp\.example\.com/);
    assert.doesNotMatch(config, /force_ssl = "?0/);
    await site.expectUnchanged();
  });

  it("stays under its memory limits through five minutes of full load", async () => {
    const end = Date.now() + 300_000;
    const worker = async (name: number) => {
      for (let n = 0; Date.now() < end; n++) {
        await site.track(`load-${name}-${n}`).catch(() => undefined);
        await fetch(`${site.url}index.php`, { signal: AbortSignal.timeout(20_000) }).then(
          (answer) => answer.text(),
          () => undefined,
        );
      }
    };
    await Promise.all(Array.from({ length: 12 }, (_, name) => worker(name)));
    for (const component of ["web", "mariadb"]) {
      const pod = await site.pod(component);
      const [status] = pod.status.containerStatuses as Live[];
      assert.equal(status.lastState.terminated?.reason, undefined);
      const peak =
        "cat /sys/fs/cgroup/memory/memory.max_usage_in_bytes /sys/fs/cgroup/memory.peak " +
        "2>/dev/null; cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null || true";
      const [used, limit] = (await site.shell(component, peak)).split("\n").map(Number);
      console.log(`      ${component}: ${Math.round(used / 2 ** 20)} of ${limit / 2 ** 20} MiB`);
      assert.ok(used < limit);
    }
  });

  describe("a new image", () => {
    const folder = path.join(os.tmpdir(), `matomo-upgrade-${process.pid}`);
    after(() => fs.rm(folder, { recursive: true, force: true }));

    /** An image of the same Matomo that calls itself another version and runs an update. */
    async function release(version: string, sql: string): Promise<void> {
      await fs.rm(folder, { recursive: true, force: true });
      await fs.cp(matomoFolder(), folder, { recursive: true });
      const file = path.join(folder, "core", "Version.php");
      const text = await fs.readFile(file, "utf8");
      await fs.writeFile(
        file,
        text.replace(/const VERSION = '[^']+'/, `const VERSION = '${version}'`),
      );
      const name = `Updates_${version.replaceAll(".", "_")}`;
      const update = process.env.MATOMO_DIST
        ? `<?php\nnamespace Piwik\\Updates;\nclass ${name} extends \\Piwik\\Updates {\n` +
          `  public function doUpdate(\\Piwik\\Updater $updater) { \\Piwik\\Db::query("${sql}"); }\n}\n`
        : `<?php \\Piwik\\Db::query("${sql}");`;
      await fs.writeFile(path.join(folder, "core", "Updates", `${version}.php`), update);
      await importImage(site.cluster.folder, await siteImage(`matomo:${version}-apache`, folder));
    }
    const using = (version: string) => ({ "matomo:matomo": { version } });

    it("that fails to update leaves the old state, and says so", async () => {
      await release("5.98.0", "ALTER TABLE matomo_no_such_table ADD x INT");
      const image = ["set", "image", "-n", "matomo", "deployment/matomo"];
      const all = ["layout", "install", "web"];
      await site.kubectl(...image, ...all.map((name) => `${name}=matomo:5.98.0-apache`));
      await until("the install container says why", 120, async () => {
        const pod = (await site.list("pods")).find(
          ({ spec }) => spec.containers[0].image === "matomo:5.98.0-apache",
        );
        const log =
          pod &&
          (await site
            .kubectl("logs", "-n", "matomo", pod.metadata!.name!, "-c", "install")
            .catch(() => ""));
        return log && /core:update from \S+ to 5\.98\.0 failed/.test(log);
      });
      const visits = await site.visits();
      await site.up();
      const old = await site.kubectl(
        "get",
        "deployment",
        "-n",
        "matomo",
        "matomo",
        "-o",
        "jsonpath={.spec.template.spec.containers[0].image}",
      );
      if (old === "matomo:5.98.0-apache") {
        await site.pulumi(["refresh", "--yes", "--skip-preview"]);
        await site.up();
      }
      await site.webReady();
      assert.equal(await site.visits(), visits);
      assert.deepEqual(await site.api("SitesManager.getAllSitesId"), [1]);
    });

    it("becomes the new Matomo: code, schema, and what people had", async () => {
      await release("5.99.0", "ALTER TABLE matomo_site ADD COLUMN IF NOT EXISTS upgraded INT");
      await site.shell(
        "web",
        "mkdir -p /state/misc/user && echo logo >/state/misc/user/logo.txt; " +
          "touch /var/www/html/core/Stray.php",
      );
      const visits = await site.visits();
      await site.up(using("5.99.0"));
      await site.webReady();
      const { value } = await site.api("API.getMatomoVersion");
      assert.equal(value, "5.99.0");
      assert.match(await site.query("SHOW COLUMNS FROM matomo_site LIKE 'upgraded'"), /upgraded/);
      assert.equal(
        await site.shell(
          "web",
          "cat /var/www/html/misc/user/logo.txt; " +
            "ls /var/www/html/core/Stray.php 2>/dev/null || true",
        ),
        "logo",
      );
      assert.equal(await site.visits(), visits);
      assert.equal(await site.track("after the upgrade"), 200);
    });
  });
});
