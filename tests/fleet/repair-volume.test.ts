/**
 * `repair-volume` on a cluster whose storage driver loses volumes: what is lost is said at once, a
 * healthy volume is never touched, and what was interrupted goes on (incident 7).
 */
import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import type { Live } from "../api/harness";
import { Bench } from "../incidents/cluster/bench";
import { type FleetBench, sharedBench } from "./bench";
import { WaitingCronJob } from "./waiting-cron-job";

describe("fleet repair-volume", function () {
  this.timeout(300_000);
  let bench: FleetBench;

  before(async () => {
    ({ bench } = await sharedBench());
  });

  const claimOf = (name: string): Promise<Live> => bench.site.get("pvc", name);

  /** The volume of a claim, as the cloud knows it. */
  async function volumeId(claim: string): Promise<string> {
    const { spec } = await claimOf(claim);
    const handle = ["-o", "jsonpath={.spec.csi.volumeHandle}"];
    return bench.site.kubectl("get", "pv", spec.volumeName, ...handle);
  }

  async function lose(claim: string): Promise<string> {
    const id = await volumeId(claim);
    const url = `${bench.site.cluster.cloudUrl}/test/volumes/${id}/lose`;
    const { ok, status } = await fetch(url, { method: "POST" });
    assert.ok(ok, `lose: HTTP ${status}`);
    return id;
  }

  /** What a repair has begun, or ended. */
  async function journals(): Promise<string[]> {
    return fs.readdir(path.join(bench.stacks, ".repair")).catch(() => []);
  }

  describe("of the backup's volume", () => {
    const repair = (...more: string[]) => bench.run("repair-volume", "liberty", "backup", ...more);
    let waiting: WaitingCronJob;
    let lost: string;

    /** The pod of the Job that the command makes; never waited for once the command is over. */
    async function podOf(command: ReturnType<FleetBench["start"]>): Promise<Live> {
      const over = command.then(({ stdout, stderr }) => {
        throw new Error(`no Job was made:\n${String(stderr)}\n${String(stdout)}`);
      });
      over.catch(() => undefined);
      return Promise.race([waiting.pod(240), over]);
    }

    before(async () => {
      waiting = new WaitingCronJob(bench.site, "matomo-backup");
      await waiting.start();
    });
    after(() => waiting?.stop());

    it("says of a healthy one that it is well, and touches nothing", async () => {
      const { metadata } = await claimOf("matomo-backup");
      const { stdout, stderr, exitCode } = await repair("--yes");
      assert.equal(exitCode, 0, stderr);
      assert.match(stdout, /^matomo-backup HEALTHY\n/);
      assert.match(stdout, /DigitalOcean has Volume pvc-/);
      const after_ = await claimOf("matomo-backup");
      assert.equal(after_.metadata!.resourceVersion, metadata!.resourceVersion);
      assert.deepEqual(await journals(), []);
    });

    it("says within ten seconds what was lost and what it would do, and touches nothing", async () => {
      lost = await lose("matomo-backup");
      const { metadata } = await claimOf("matomo-backup");
      const job = ["create", "job", "old", "--from=cronjob/matomo-backup", "-n", "matomo"];
      await bench.site.kubectl(...job);
      let began = 0;
      const told = new RegExp(`code = NotFound desc = volume "${lost}" does not exist`);
      await new Bench(bench.site, "matomo").event("FailedAttachVolume", told);
      const running = bench.start({}, "repair-volume", "liberty", "backup");
      // The rest is node's own start, which a busy machine makes long.
      running.stderr!.once("data", () => (began = Date.now()));
      const { stdout, exitCode } = await running;
      const seconds = (Date.now() - began) / 1000;
      assert.equal(exitCode, 1);
      assert.match(String(stdout), /^matomo-backup LOST\n/);
      assert.match(String(stdout), told);
      assert.match(String(stdout), /DigitalOcean has no Volume pvc-/);
      assert.match(String(stdout), /\n +3\. back up at once/);
      assert.match(String(stdout), /Nothing was touched/);
      assert.ok(seconds < 10, `it took ${seconds} s`);
      const after_ = await claimOf("matomo-backup");
      assert.equal(after_.metadata!.resourceVersion, metadata!.resourceVersion);
      assert.deepEqual(await journals(), []);
    });

    it("makes it anew while a Job hangs on it, and goes on after an interruption", async () => {
      const before_ = await claimOf("matomo-backup");
      const first = bench.start({}, "repair-volume", "liberty", "backup", "--yes");
      await podOf(first);
      first.kill("SIGINT");
      const { exitCode, stderr } = await first;
      assert.equal(exitCode, 130, String(stderr));
      const made = await claimOf("matomo-backup");
      assert.notEqual(made.metadata!.uid, before_.metadata!.uid);
      assert.equal(made.status.phase, "Bound");
      const [journal] = await journals();
      assert.equal(journal, "liberty-backup.json");
      const { mode } = await fs.stat(path.join(bench.stacks, ".repair", journal));
      assert.equal(mode & 0o777, 0o600);
      await waiting.kubelet.finish(await waiting.pod(), "Succeeded");

      const again = bench.start({}, "repair-volume", "liberty", "backup", "--yes", "--json");
      await waiting.kubelet.finish(await podOf(again), "Succeeded");
      const ended = await again;
      assert.equal(ended.exitCode, 0, String(ended.stderr));
      assert.match(String(ended.stderr), /goes on with the repair of 20/);
      const { repaired, job } = JSON.parse(String(ended.stdout));
      assert.deepEqual([repaired, job.ok], [true, true]);
      assert.equal((await claimOf("matomo-backup")).metadata!.uid, made.metadata!.uid);
      const jobs = await bench.site.list("jobs");
      assert.ok(!jobs.some(({ metadata }) => metadata!.name === "old"));
      assert.ok(!(await journals()).includes("liberty-backup.json"));
    });
  });

  after("leaves nothing that the next up would trip over", async () => {
    await bench.site.up();
    await bench.site.expectUnchanged();
  });
});
