/** `restore`: told twice, one pod on the volume, and the next `up` finds nothing changed. */
import assert from "node:assert/strict";
import { nodeNames } from "../../local/objects";
import { Bench } from "../incidents/cluster/bench";
import { makeDue, minutesAgo } from "../incidents/cluster/schedule";
import { within } from "../waits";
import { type FleetBench, sharedBench } from "./bench";
import { LogServer } from "./log-server";
import { reschedule, resume, suspend, WaitingCronJob } from "./waiting-cron-job";

const HOST = "matomo.liberty.example.com";

describe("fleet restore", () => {
  let bench: FleetBench;

  before(async () => {
    ({ bench } = await sharedBench());
  });

  /** Web pods that are wanted, and that are ready. */
  async function replicas(): Promise<[number, number]> {
    const { spec } = await bench.site.get("deployment", "matomo");
    return [spec.replicas, await bench.readyPods("web")];
  }

  /** The web pod serves; the Deployment's status, which the next command reads, says so a bit later. */
  async function assertServing(): Promise<void> {
    assert.deepEqual(await replicas(), [1, 1]);
    await settled();
  }

  const deployment = ["deployment/matomo", "-n", "matomo", within("rolloutEnds")];
  const settled = () => bench.site.kubectl("rollout", "status", ...deployment);

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
    try {
      await waiting.start();
      const running = bench.start(
        {},
        ...["restore", "liberty", "--from", "newest", "--yes", "--overwrite", HOST],
      );
      const pod = await waiting.podOf(running);
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
    await assertServing();
  });

  it("says how to go on when it is interrupted, exit 130", async () => {
    const waiting = new WaitingCronJob(bench.site, "matomo-backup");
    try {
      await waiting.start();
      const args = ["restore", "liberty", "--from", "newest", "--yes", "--overwrite", HOST];
      const running = bench.start({}, ...args);
      const pod = await waiting.podOf(running);
      running.kill("SIGINT");
      const { exitCode, stderr } = await running;
      assert.equal(exitCode, 130, String(stderr));
      const next = `npm run fleet -- restore liberty --from newest --overwrite ${HOST}`;
      assert.ok(String(stderr).includes(next), String(stderr));
      await waiting.kubelet.finish(pod, "Succeeded");
      assert.deepEqual(await replicas(), [0, 0]);
    } finally {
      await waiting.stop();
    }
    const again = await restore("--yes", "--overwrite", HOST);
    assert.equal(again.exitCode, 0, again.stderr);
    await assertServing();
  });

  /** Whether the nightly backup is suspended, and whether by a restore. */
  async function nightly(): Promise<[boolean, string?]> {
    const { metadata, spec } = await bench.site.get("cronjob", "matomo-backup");
    return [spec.suspend, metadata!.annotations?.["matomo-fleet/held-by"]];
  }

  /** Jobs that have the backup volume, by name. */
  async function backupJobs(): Promise<string[]> {
    const jobs = await bench.site.list("jobs");
    return jobs.map(({ metadata }) => metadata!.name!).filter((name) => !/-archive-/.test(name));
  }

  it("lets no nightly backup begin before it is done, and the one that was due then", async () => {
    const place = new Bench(bench.site, "matomo");
    const schedules = new Map<string, string>();
    for (const name of ["matomo-backup", "matomo-archive"]) {
      schedules.set(name, (await bench.site.get("cronjob", name)).spec.schedule);
    }
    const waiting = new WaitingCronJob(bench.site, "matomo-backup");
    const args = ["restore", "liberty", "--from", "newest", "--yes", "--overwrite", HOST];
    try {
      await waiting.start();
      await bench.site.makeJob("matomo-backup", "night");
      const night = await waiting.pod();
      const beside = await bench.run(...args);
      assert.equal(beside.exitCode, 2, beside.stderr);
      assert.match(beside.stderr, /Job night is running: wait for its end/);
      assert.deepEqual(await nightly(), [false, undefined]);
      assert.deepEqual(await replicas(), [1, 1]);
      await waiting.kubelet.finish(night, "Succeeded");
      const complete = ["--for=condition=Complete", within("jobEnds"), "-n", "matomo"];
      await bench.site.kubectl("wait", "job/night", ...complete);

      const cut = bench.start({}, ...args);
      const pod = await waiting.podOf(cut);
      assert.deepEqual(await nightly(), [true, "restore"]);
      const before_ = await backupJobs();
      await makeDue(place, "matomo-backup", minutesAgo(2));
      // Looked at after it, and begun.
      const other = await makeDue(place, "matomo-archive", minutesAgo(2));
      const created = ["--for=create", within("controllerActs"), "-n", "matomo"];
      await bench.site.kubectl("wait", `job/${other}`, ...created);
      assert.deepEqual(await backupJobs(), before_);
      await waiting.kubelet.finish(pod, "Failed");
      assert.equal((await cut).exitCode, 1);
      assert.deepEqual(await nightly(), [true, "restore"]);

      const again = bench.start({}, ...args);
      await waiting.kubelet.finish(await waiting.podOf(again), "Succeeded");
      const { exitCode, stderr } = await again;
      assert.equal(exitCode, 0, String(stderr));
      assert.deepEqual(await nightly(), [false, undefined]);
      const late = await waiting.pod();
      assert.equal(late.spec.containers[0].name, "backup");
      await assertServing();
    } finally {
      for (const [name, schedule] of schedules) await reschedule(bench.site, name, schedule);
      await waiting.stop();
    }
  });

  it("leaves a nightly backup suspended that somebody had suspended", async () => {
    await suspend(bench.site, "matomo-backup");
    try {
      const { exitCode, stderr } = await restore("--yes", "--overwrite", HOST);
      assert.equal(exitCode, 0, stderr);
      assert.deepEqual(await nightly(), [true, undefined]);
    } finally {
      await resume(bench.site, "matomo-backup");
    }
    await assertServing();
  });

  it("refused, leaves a web pod wanted that was not ready", async () => {
    const waiting = new WaitingCronJob(bench.site, "matomo-backup");
    const logs = new LogServer();
    try {
      await waiting.start();
      await logs.start(bench.site);
      logs.say("restore", "restore: ERROR: a site is there (9 tables). Nothing was touched.");
      await bench.site.kubectl("cordon", ...nodeNames);
      const web = ["-n", "matomo", "-l", "app.kubernetes.io/component=web"];
      await bench.site.kubectl("delete", "pod", ...web);
      await bench.site.kubectl("wait", ...deployment, "--for=condition=Available=False");
      const running = bench.start({}, "restore", "liberty", "--from", "newest", "--yes");
      const pod = await waiting.podOf(running);
      assert.deepEqual(await replicas(), [0, 0]);
      await waiting.kubelet.finish(pod, "Failed");
      const { exitCode, stdout } = await running;
      assert.equal(exitCode, 1, String(stdout));
      assert.match(String(stdout), /a site is there \(9 tables\)\. Nothing was touched/);
      assert.deepEqual(await replicas(), [1, 0]);
    } finally {
      logs.stop();
      await bench.site.kubectl("uncordon", ...nodeNames);
      await waiting.stop();
    }
    await settled();
  });

  it("leaves nothing that the next up would trip over", async () => {
    await bench.site.up();
    await bench.site.expectUnchanged();
  });
});
