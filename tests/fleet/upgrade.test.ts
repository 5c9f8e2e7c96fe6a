/** `up` of a newer version: a proven backup comes first, and without it nothing is touched. */
import assert from "node:assert/strict";
import { wanted } from "../api/harness";
import { type FleetBench, openBench } from "./bench";
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
  });
});
