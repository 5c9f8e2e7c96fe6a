/** `archive` and `backup`: the Job that the CronJob would make, followed to its end. */
import assert from "node:assert/strict";
import type { Live } from "../api/harness";
import { eventually } from "../waits";
import { type FleetBench, sharedBench } from "./bench";
import { WaitingCronJob } from "./waiting-cron-job";

describe("fleet archive and backup", () => {
  let bench: FleetBench;

  before(async () => {
    ({ bench } = await sharedBench());
  });

  async function jobsOf(component: string): Promise<Live[]> {
    return (await bench.site.list("jobs")).filter(
      ({ spec }) => spec.template.metadata.labels["app.kubernetes.io/component"] === component,
    );
  }

  it("runs the CronJob's own Job, under its history limits", async () => {
    const answer = await bench.json("archive", "liberty");
    assert.equal(answer.ok, true, JSON.stringify(answer));
    const job = await bench.site.get("job", answer.job);
    const [owner] = job.metadata!.ownerReferences!;
    assert.deepEqual(
      [owner.kind, owner.name, owner.controller],
      ["CronJob", "matomo-archive", true],
    );
    const { spec } = await bench.site.get("cronjob", "matomo-archive");
    const { containers } = job.spec.template.spec;
    assert.deepEqual(containers, spec.jobTemplate.spec.template.spec.containers);
  });

  it("names the cluster's fault and what to do when the stack is not deployed", async () => {
    const { exitCode, stderr } = await bench.run("backup", "yonks");
    assert.equal(exitCode, 2);
    assert.match(stderr, /DigitalOcean's cluster "nowhere" cannot be read: .*there are: liberty/);
  });

  describe("on nodes whose pods run until they are ended", () => {
    let waiting: WaitingCronJob;

    before(async () => {
      waiting = new WaitingCronJob(bench.site, "matomo-archive");
      await waiting.start();
    });
    after(() => waiting?.stop());

    it("fails when the Job fails, and lets no second one run beside it", async () => {
      const running = bench.start({}, "archive", "liberty");
      const pod = await waiting.podOf(running);
      const second = await bench.run("archive", "liberty");
      assert.equal(second.exitCode, 2);
      assert.match(second.stderr, /Job matomo-archive-now-\w+ is running: wait for its end/);
      await waiting.kubelet.finish(pod, "Failed");
      const { exitCode, stdout } = await running;
      assert.equal(exitCode, 1);
      assert.match(String(stdout), /^liberty FAILED: /);
    });

    it("can be interrupted: the Job goes on", async () => {
      const running = bench.start({}, "archive", "liberty");
      const pod = await waiting.podOf(running);
      running.kill("SIGINT");
      const { exitCode, stderr } = await running;
      assert.equal(exitCode, 130, String(stderr));
      await eventually("a Job that goes on", async () =>
        (await jobsOf("archive")).some(({ status }) => status.active === 1),
      );
      await waiting.kubelet.finish(pod, "Succeeded");
    });
  });
});
