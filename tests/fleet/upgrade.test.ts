/** `up` of a newer version: a proven backup comes first. `rollback`: that backup and its version are back. */
import assert from "node:assert/strict";
import { wanted } from "../api/harness";
import { type FleetBench, openBench } from "./bench";
import { LogServer, volumeLines } from "./log-server";
import { WaitingCronJob } from "./waiting-cron-job";

describe("fleet up of a newer version", () => {
  let bench: FleetBench;

  before(async () => {
    bench = await openBench("personal");
  });
  after(() => bench?.site.close());

  /** The stack's file asks for these versions from now on. */
  const ask = (matomo: string, mariadb: string) =>
    bench.settings({
      "matomo:matomo": { version: matomo },
      "matomo:mariadb": { version: mariadb },
    });

  async function backups(): Promise<number> {
    const jobs = await bench.site.list("jobs");
    return jobs.filter(({ metadata }) => metadata!.name!.startsWith("matomo-backup-")).length;
  }

  async function images(): Promise<string[]> {
    const workloads = await bench.site.list("deployments,statefulsets");
    return workloads.map(({ spec }) => spec.template.spec.containers[0].image);
  }

  /** All that an `up` could change. */
  const objects = async () =>
    wanted(await bench.site.list("deployments,statefulsets,cronjobs,configmaps,secrets,services"));

  it("makes none where nothing is deployed yet, and none where no version goes up", async () => {
    for (const changes of [{}, { "matomo:matomo": { memory: "2Gi" } }]) {
      await bench.settings(changes);
      const { exitCode, stderr, stdout } = await bench.run("up", "personal", "--yes");
      assert.equal(exitCode, 0, stdout + stderr);
      assert.equal(await backups(), 0);
    }
  });

  describe("on nodes whose pods run until they are ended", () => {
    let waiting: WaitingCronJob;

    before(async () => {
      waiting = new WaitingCronJob(bench.site, "matomo-backup");
      await waiting.start();
    });
    after(() => waiting?.stop());

    it("touches nothing when the backup is not proven, and says how to go on", async () => {
      const before_ = await objects();
      await ask("5.5.2", "12.0.2");
      const running = bench.start({}, "up", "personal", "--yes");
      const { backoffLimit } = (await bench.site.get("cronjob", "matomo-backup")).spec.jobTemplate
        .spec;
      for (let tries = 0; tries <= backoffLimit; tries++) {
        await waiting.kubelet.finish(await waiting.podOf(running), "Failed");
      }
      const { exitCode, stdout } = await running;
      assert.equal(exitCode, 1, String(stdout));
      assert.match(String(stdout), /^personal +FAILED /m);
      assert.match(
        String(stdout),
        /no proven backup before matomo 5\.5\.1 to 5\.5\.2, so nothing was touched: /,
      );
      assert.match(String(stdout), /npm run fleet -- backup personal ends well/);
      assert.deepEqual(await objects(), before_);
    });

    it("makes one, and only then changes the pods", async () => {
      const before_ = await objects();
      const made = await backups();
      const running = bench.start({}, "up", "personal", "--yes");
      const pod = await waiting.podOf(running);
      assert.deepEqual(await objects(), before_);
      await waiting.kubelet.finish(pod, "Succeeded");
      const { exitCode, stderr } = await running;
      assert.equal(exitCode, 0, String(stderr));
      assert.match(String(stderr), /personal: matomo 5\.5\.1 to 5\.5\.2: a proven backup first/);
      assert.equal(await backups(), made + 1);
      assert.deepEqual(await images(), ["matomo:5.5.2-apache", "mariadb:12.0.2"]);
    });

    it("makes none beside one that was proven just now", async () => {
      const made = await backups();
      await ask("5.5.2", "12.0.3");
      const { exitCode, stderr } = await bench.run("up", "personal", "--yes");
      assert.equal(exitCode, 0, stderr);
      assert.match(stderr, /mariadb 12\.0\.2 to 12\.0\.3: the proven backup of \S+ is taken/);
      assert.equal(await backups(), made);
      assert.deepEqual(await images(), ["matomo:5.5.2-apache", "mariadb:12.0.3"]);
    });

    describe("that is bad", () => {
      const HOST = "matomo.personal.example.com";
      const BEFORE = "2026-11-20T030000Z";
      const SINCE = "2026-11-21T030000Z";
      const logs = new LogServer();
      const sure = ["--yes", "--overwrite", HOST];
      const start = (...more: string[]) => bench.start({}, "rollback", "personal", ...more);
      const old: [string, object] = [BEFORE, { matomo: "5.5.1", actions: 10 }];
      const newer: [string, object] = [SINCE, { matomo: "5.5.2", actions: 13 }];

      before(async () => {
        await logs.start(bench.site);
        logs.say("list", volumeLines([old]));
      });
      after(() => logs.stop());

      async function finish(...how: Parameters<WaitingCronJob["ended"]>) {
        const pod = await waiting.ended(...how);
        return pod.spec.containers[0].env as { name: string; value: string }[];
      }
      async function refused(command: ReturnType<typeof start>, why: RegExp): Promise<void> {
        const { exitCode, stderr } = await command;
        assert.equal(exitCode, 2, String(stderr));
        assert.match(String(stderr), why);
      }

      it("is not rolled back to a version that the settings do not state, or has no backup", async () => {
        const before_ = await objects();
        const same = start(...sure);
        await finish(same, "list");
        await refused(same, /found "5\.5\.2"; allowed: one before 5\.5\.2.*5\.5\.1 \(2026-11-20T/);
        await ask("5.5.0", "12.0.3");
        const none = start(...sure);
        await finish(none, "list");
        await refused(none, /no proven backup of Matomo 5\.5\.0; .*5\.5\.1 \(2026-11-20T/);
        await ask("5.5.1", "12.0.2");
        await refused(
          start(...sure),
          /mariadb\.version: found "12\.0\.2"; allowed: 12\.0\.3 or newer/,
        );
        await ask("5.5.1", "12.0.3");
        const once = start("--yes");
        await finish(once, "list");
        await refused(
          once,
          new RegExp(`recorded since ${BEFORE}.*\n.*say --overwrite ${HOST} too`),
        );
        assert.deepEqual(await objects(), before_);
      });

      it("is left as it is when what came in since cannot be backed up", async () => {
        const before_ = await objects();
        const running = start(...sure);
        await finish(running, "list");
        const { backoffLimit } = (await bench.site.get("cronjob", "matomo-backup")).spec.jobTemplate
          .spec;
        for (let tries = 0; tries <= backoffLimit; tries++)
          await finish(running, "backup", "Failed");
        const { exitCode, stderr } = await running;
        assert.equal(exitCode, 1);
        assert.match(
          String(stderr),
          /cannot be backed up, so nothing was touched.*\n.*--no-export/,
        );
        assert.deepEqual(await objects(), before_);
      });

      it("is rolled back, also when the command is cut short, with what came in since kept", async () => {
        const running = start(...sure);
        await finish(running, "list");
        const env = await finish(running, "backup");
        assert.deepEqual(
          env.filter(({ name }) => name === "KEEP_BACKUP").map(({ value }) => value),
          [BEFORE],
        );
        logs.say("list", volumeLines([old, newer]));
        await finish(running, "list");
        const restoring = await waiting.podOf(running);
        assert.equal(restoring.spec.containers[0].name, "restore");
        running.kill("SIGINT");
        const cut = await running;
        assert.equal(cut.exitCode, 130, String(cut.stderr));
        assert.match(String(cut.stderr), /run the same command again/);
        await waiting.kubelet.finish(restoring, "Succeeded");

        const again = start(...sure);
        const told = await finish(again, "restore");
        assert.ok(told.some(({ name, value }) => name === "BACKUP" && value === BEFORE));
        const { exitCode, stdout, stderr } = await again;
        assert.equal(exitCode, 0, String(stderr));
        assert.match(
          String(stdout),
          new RegExp(
            `back to Matomo 5.5.1 and to ${BEFORE}; .* 3 actions of visitors, is in ${SINCE}, a backup of 5.5.2`,
          ),
        );
        assert.deepEqual(await images(), ["matomo:5.5.1-apache", "mariadb:12.0.3"]);
        const { spec } = await bench.site.get("cronjob", "matomo-archive");
        const [archive] = spec.jobTemplate.spec.template.spec.containers;
        assert.equal(archive.image, "matomo:5.5.1-apache");
        assert.equal(await bench.readyPods("web"), 1);
        const preview = await bench.json("preview", "personal");
        assert.deepEqual(Object.keys(preview.stacks[0].counts), ["same"]);
      });
    });
  });
});
