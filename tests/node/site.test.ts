/**
 * What a running site promises: rights, limits, what people saved, every answered visit kept while
 * pods come and go, and a new image that becomes the new Matomo (decisions 1, 2, 6, 7, 8, 14;
 * incidents 10, 13, 14, 15, 17, 20).
 */
import * as assert from "node:assert/strict";
import { eventually, milliseconds, seconds, within } from "../waits";
import { KEPT_PLUGIN, LOAD_SECONDS, type NodeSite, sharedSite, Visitors } from "./harness";
import { importRelease } from "./release";

describe("a running site", () => {
  let site: NodeSite;

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
    const visitors = new Visitors(site, "v");
    const gaps: Record<string, number> = {};
    const during = async (title: string, disturb: () => Promise<unknown>) => {
      gaps[title] = await visitors.during(title, disturb);
    };
    await during("web pod rolled", async () => {
      await site.kubectl("rollout", "restart", "-n", "matomo", "deployment/matomo");
      await site.webReady();
    });
    await during("database pod killed", async () => {
      const pod = ["pod", "-n", "matomo", "matomo-mariadb-0"];
      await site.kubectl("delete", ...pod, "--grace-period=0", "--force");
      await site.kubectl("wait", "--for=create", ...pod, within("controllerActs"));
      await site.kubectl("wait", "--for=condition=Ready", ...pod, within("podReady"));
    });
    await during("node drained", async () => {
      await site.kubectl(
        "drain",
        "pool-local-1",
        "--ignore-daemonsets",
        "--delete-emptydir-data",
        "--force",
        "--pod-selector=app.kubernetes.io/name=matomo",
        within("drainEnds"),
      );
      await site.kubectl("uncordon", "pool-local-1");
      await eventually("the web pod is there again", () => site.pod("web"));
      await site.webReady();
    });
    await visitors.end();
    const { asked, answered } = visitors;
    console.log(
      `      ${asked} asked, ${answered.length} answered; longest gap in s: ${JSON.stringify(gaps)}`,
    );
    assert.ok(answered.length > 50);
    assert.deepEqual(await site.lost(answered), []);
  });

  it("keeps what a person saved through restarts and an up, and sets again what it owns", async () => {
    const console = "cd /var/www/html && php console";
    const save = `${console} config:set`;
    await site.shell("web", `${save} --section=mail --key=host --value=smtp.example.com`);
    await site.shell("web", `${save} --section=General --key=force_ssl --value=0`);
    // As the UI writes it.
    const trusted = 'trusted_hosts[] = "also.example.com"';
    const config = "/state/config/config.ini.php";
    await site.shell("web", `sed -i 's/^\\[General\\]$/&\\n${trusted}/' ${config}`);
    await site.shell(
      "web",
      `mkdir -p /state/plugins/Kept && cd /state/plugins/Kept && ${KEPT_PLUGIN}`,
    );
    await site.shell("web", `${console} plugin:activate Kept`);
    const assertKept = async () => {
      const saved = await site.shell("web", `cat ${config}`);
      assert.match(saved, /host = "?smtp\.example\.com/);
      assert.ok(saved.includes(trusted), saved);
      assert.doesNotMatch(saved, /force_ssl = "?0/);
      assert.match(await site.shell("web", `${console} plugin:list`), /Kept[^\n]*Activated/);
    };
    await site.restartWeb();
    await assertKept();
    const { metadata } = await site.pod("web");
    await site.up({ "matomo:matomo": { workers: 3 } });
    await site.webReady();
    assert.notEqual((await site.pod("web")).metadata!.uid, metadata!.uid);
    await assertKept();
    await site.up();
    await site.webReady();
    await site.expectUnchanged();
  });

  it("has memory for the largest request that PHP permits in every worker and an archiver at once", async () => {
    const conf = await site.shell("web", "cat /opt/matomo/config/site.conf");
    // All that visitors have.
    const workers = Number(/TRACKERS (\d+)/.exec(conf)![1]);
    const archiver = /ARCHIVE_MEMORY (\S+)/.exec(conf)![1];
    // None ends before all of them are full. Blocks of 1 MiB would leave half of PHP's chunks untouched.
    const program = `<?php
      $limit = ini_parse_quantity(ini_get("memory_limit"));
      for ($all = []; memory_get_usage(true) < $limit - (8 << 20);) { $all[] = str_repeat("x", 4 << 20); }
      touch("/tmp/full-" . getmypid());
      while (count(glob("/tmp/full-*")) < ${workers + 1}) { usleep(10000); }
      echo memory_get_usage(true), "\n";`;
    const said = await site.shell(
      "web",
      `cat >/var/www/html/full.php <<'PHP'\n${program}\nPHP\n` +
        `for i in $(seq ${workers}); do ` +
        `curl -sS --max-time ${seconds("serverAnswers")} http://localhost:8091/full.php & done; ` +
        `php -d memory_limit=${archiver} /var/www/html/full.php & ` +
        "wait; rm /var/www/html/full.php /tmp/full-*",
    );
    const taken = said.trim().split("\n").map(Number);
    assert.equal(taken.length, workers + 1, said);
    await site.assertNoneKilled("web");
    const { peak } = await site.memory("web");
    assert.ok(peak > taken.reduce((sum, bytes) => sum + bytes), `${taken}`);
  });

  it(`answers everybody, under its memory limits, through ${LOAD_SECONDS} s of full load`, async () => {
    const end = Date.now() + LOAD_SECONDS * 1000;
    const answers: Record<string, number> = {};
    const count = async (asked: Promise<Response>) => {
      let answer: string;
      try {
        const response = await asked;
        const text = await response.text();
        answer = response.status === 200 ? "200" : `${response.status} ${text.trim()}`;
      } catch (error) {
        answer = `${String(error)} ${String((error as Error).cause)}`;
      }
      answers[answer] = (answers[answer] ?? 0) + 1;
      return answer;
    };
    const tracked: string[] = [];
    const before = await site.pageViews();
    const worker = async (name: number) => {
      for (let n = 0; Date.now() < end; n++) {
        const visitor = `load-${name}-${n}`;
        if ((await count(site.visit(visitor))) === "200") tracked.push(visitor);
        const signal = AbortSignal.timeout(milliseconds("requestAnswered"));
        await count(fetch(`${site.url}index.php`, { signal }));
      }
    };
    await Promise.all(Array.from({ length: 12 }, (_, name) => worker(name)));
    console.log(`      answers: ${JSON.stringify(answers)}`);
    assert.deepEqual(Object.keys(answers), ["200"]);
    assert.ok(tracked.length >= 12);
    assert.deepEqual(await site.lost(tracked), []);
    assert.equal((await site.pageViews()) - before, tracked.length);
    for (const component of ["web", "mariadb"]) {
      await site.memory(component);
      await site.assertNoneKilled(component);
    }
  });

  describe("a new image", () => {
    const using = (version: string) => ({ "matomo:matomo": { version } });

    it("that fails to update leaves the old state, and says so", async () => {
      await importRelease(site, "5.98.0", "ALTER TABLE matomo_no_such_table ADD x INT");
      const image = ["set", "image", "-n", "matomo", "deployment/matomo"];
      await site.kubectl(...image, "web=matomo:5.98.0-apache");
      const saysWhy = async () => {
        const pod = (await site.list("pods")).find(
          ({ spec }) => spec.containers[0].image === "matomo:5.98.0-apache",
        );
        const log = pod && (await site.kubectl("logs", "-n", "matomo", pod.metadata!.name!));
        return log && /core:update from \S+ to 5\.98\.0 failed/.test(log);
      };
      await eventually("the pod says why", saysWhy, "podReady");
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
      await importRelease(
        site,
        "5.99.0",
        "ALTER TABLE matomo_site ADD COLUMN IF NOT EXISTS upgraded INT",
      );
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
