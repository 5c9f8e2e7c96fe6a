/** `archive` and `backup`: the Job that the CronJob would make, followed to its end. */
import assert from "node:assert/strict";
import type { Live } from "../api/harness";
import { Kubelet, onWaitingNodes } from "../incidents/cluster/kubelet";
import { type FleetBench, sharedBench } from "./bench";

describe("fleet archive and backup", () => {
  let bench: FleetBench;

  before(async function () {
    this.timeout(300_000);
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
    let kubelet: Kubelet;
    let original: string;

    before(async () => {
      kubelet = new Kubelet(bench.site.cluster.kubeconfig);
      await kubelet.start();
      const { spec } = await bench.site.get("cronjob", "matomo-archive");
      original = JSON.stringify({ spec: { jobTemplate: spec.jobTemplate } });
      onWaitingNodes(spec.jobTemplate.spec.template.spec);
      await patch(JSON.stringify({ spec: { jobTemplate: spec.jobTemplate } }));
    });

    after(async () => {
      const reset = { nodeSelector: null, tolerations: null };
      const { jobTemplate } = JSON.parse(original).spec;
      Object.assign(jobTemplate.spec.template.spec, reset);
      await patch(JSON.stringify({ spec: { jobTemplate } }));
      await bench.site.kubectl("delete", "job", "--all", "-n", "matomo");
      await kubelet.stop();
    });

    async function patch(body: string): Promise<void> {
      const merge = ["--type=merge", "--field-manager=test", "-p", body];
      await bench.site.kubectl("patch", "cronjob", "matomo-archive", "-n", "matomo", ...merge);
    }

    /** The pod of the Job that the command made, running. */
    async function runningPod(): Promise<Live> {
      for (;;) {
        const wait = ["wait", "pod", "-n", "matomo", "-l", "app.kubernetes.io/component=archive"];
        await bench.site
          .kubectl(...wait, "--for=jsonpath={.status.phase}=Running", "--timeout=2s")
          .catch(() => "");
        const pods = await bench.site.list("pods");
        const pod = pods.find(
          ({ metadata, status }) =>
            metadata!.labels?.["app.kubernetes.io/component"] === "archive" &&
            status.phase === "Running",
        );
        if (pod) return pod;
      }
    }

    it("fails when the Job fails, and lets no second one run beside it", async () => {
      const running = bench.start({}, "archive", "liberty");
      const pod = await runningPod();
      const second = await bench.run("archive", "liberty");
      assert.equal(second.exitCode, 2);
      assert.match(second.stderr, /Job matomo-archive-now-\w+ is running: wait for its end/);
      await kubelet.finish(pod, "Failed");
      const { exitCode, stdout } = await running;
      assert.equal(exitCode, 1);
      assert.match(String(stdout), /^liberty FAILED: /);
    });

    it("can be interrupted: the Job goes on", async () => {
      const running = bench.start({}, "archive", "liberty");
      const pod = await runningPod();
      running.kill("SIGINT");
      const { exitCode, stderr } = await running;
      assert.equal(exitCode, 130, String(stderr));
      const jobs = await jobsOf("archive");
      assert.ok(jobs.some(({ status }) => status.active === 1));
      await kubelet.finish(pod, "Succeeded");
    });
  });
});
