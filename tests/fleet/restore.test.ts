/** `restore`: told twice, one pod on the volume, and the next `up` finds nothing changed. */
import assert from "node:assert/strict";
import { type FleetBench, sharedBench } from "./bench";
import { WaitingCronJob } from "./waiting-cron-job";

const HOST = "matomo.liberty.example.com";

describe("fleet restore", () => {
  let bench: FleetBench;

  before(async function () {
    this.timeout(300_000);
    ({ bench } = await sharedBench());
  });

  async function replicas(): Promise<[number, number]> {
    const { spec, status } = await bench.site.get("deployment", "matomo");
    return [spec.replicas, status.readyReplicas ?? 0];
  }

  const restore = (...more: string[]) =>
    bench.run("restore", "liberty", "--from", "newest", ...more);

  it("is told twice before it replaces a site, and touches nothing until then", async () => {
    const { metadata } = await bench.site.get("deployment", "matomo");
    const unasked = await restore();
    assert.equal(unasked.exitCode, 2);
    assert.match(unasked.stderr, /say --yes/);
    const once = await restore("--yes");
    assert.equal(once.exitCode, 2);
    assert.match(once.stderr, /is serving visitors.*\n.*say --overwrite matomo\.liberty\.example/);
    const wrong = await restore("--yes", "--overwrite", "matomo.yonks.example.com");
    assert.equal(wrong.exitCode, 2);
    assert.match(wrong.stderr, /--overwrite: found "matomo\.yonks.*allowed: matomo\.liberty/);
    const after = await bench.site.get("deployment", "matomo");
    assert.equal(after.metadata!.resourceVersion, metadata!.resourceVersion);
    assert.deepEqual(await replicas(), [1, 1]);
  });

  it("keeps the web pod away when it was cut short, and brings it back when it is done", async () => {
    const waiting = new WaitingCronJob(bench.site, "matomo-backup");
    await waiting.start();
    try {
      const running = bench.start(
        {},
        ...["restore", "liberty", "--from", "newest", "--yes", "--overwrite", HOST],
      );
      const pod = await waiting.pod();
      assert.deepEqual(await replicas(), [0, 0]);
      const { volumes, containers } = pod.spec;
      const claims = volumes.flatMap(
        (volume: { persistentVolumeClaim?: { claimName: string } }) =>
          volume.persistentVolumeClaim?.claimName ?? [],
      );
      assert.deepEqual(claims, ["matomo-backup", "matomo"]);
      assert.ok(
        containers[0].env.some(({ value }: { value?: string }) => value === HOST),
        "the host name is said again",
      );
      await waiting.kubelet.finish(pod, "Failed");
      const { exitCode, stderr } = await running;
      assert.equal(exitCode, 1);
      assert.match(String(stderr), /run the same command again/);
      assert.deepEqual(await replicas(), [0, 0]);
    } finally {
      await waiting.stop();
    }
    // Nobody is served now, so once is enough; restore.sh itself still asks for the host name.
    const again = await restore("--yes");
    assert.equal(again.exitCode, 0, again.stderr);
    assert.deepEqual(await replicas(), [1, 1]);
  });

  it("leaves nothing that the next up would trip over", async () => {
    await bench.site.up();
    await bench.site.expectUnchanged();
  });
});
