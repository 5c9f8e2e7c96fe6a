/**
 * `repair-volume` on a cluster whose storage driver loses volumes: what is lost is said at once, a
 * healthy volume is never touched, and what was interrupted goes on (incident 7).
 */
import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import type { Live } from "../api/harness";
import { Bench } from "../incidents/cluster/bench";
import { onWaitingNodes } from "../incidents/cluster/kubelet";
import { type FleetBench, sharedBench } from "./bench";
import { LogServer } from "./log-server";
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

  /** The pod of the Job that the command makes; never waited for once the command is over. */
  async function podOf(
    waiting: WaitingCronJob,
    command: ReturnType<FleetBench["start"]>,
  ): Promise<Live> {
    const over = command.then(({ stdout, stderr }) => {
      throw new Error(`no Job was made:\n${String(stderr)}\n${String(stdout)}`);
    });
    over.catch(() => undefined);
    return Promise.race([waiting.pod(240), over]);
  }

  describe("of the backup's volume", () => {
    const repair = (...more: string[]) => bench.run("repair-volume", "liberty", "backup", ...more);
    let waiting: WaitingCronJob;
    let lost: string;

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
      await podOf(waiting, first);
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
      await waiting.kubelet.finish(await podOf(waiting, again), "Succeeded");
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

  describe("of the data's volumes", () => {
    const CLAIM = "data-matomo-mariadb-0";
    const HOST = "matomo.liberty.example.com";
    const BACKUP = "2026-11-20T030000Z";
    const logs = new LogServer();
    let waiting: WaitingCronJob;

    const start = (...more: string[]) =>
      bench.start({}, "repair-volume", "liberty", "data", ...more);

    /** Runs the command up to its end, whose first Job, the list of the backups, ends well. */
    async function listing(command: ReturnType<FleetBench["start"]>): Promise<void> {
      const pod = await podOf(waiting, command);
      assert.equal(pod.spec.containers[0].name, "list");
      await waiting.kubelet.finish(pod, "Succeeded");
    }

    async function placeDatabase(change: (podSpec: Live) => void): Promise<void> {
      const { spec } = await bench.site.get("statefulset", "matomo-mariadb");
      change(spec.template.spec);
      const body = JSON.stringify({ spec: { template: spec.template } });
      const merge = ["--type=merge", "--field-manager=test", "-n", "matomo", "-p", body];
      await bench.site.kubectl("patch", "statefulset", "matomo-mariadb", ...merge);
      const rollout = ["rollout", "status", "statefulset/matomo-mariadb", "-n", "matomo"];
      await bench.site.kubectl(...rollout, "--timeout=60s");
    }

    async function scaleDatabase(replicas: number): Promise<void> {
      const workload = "statefulset/matomo-mariadb";
      await bench.site.kubectl("scale", workload, `--replicas=${replicas}`, "-n", "matomo");
    }

    before(async () => {
      waiting = new WaitingCronJob(bench.site, "matomo-backup");
      await waiting.start();
      await logs.start(bench.site);
      await placeDatabase(onWaitingNodes);
      // Detached first: on the node that has it nobody would attach it again.
      await scaleDatabase(0);
      const { spec } = await claimOf(CLAIM);
      await new Bench(bench.site, "matomo").seen(
        "/apis/storage.k8s.io/v1/volumeattachments",
        "the database's volume detached",
        (all) =>
          !all.some((one) => one.spec.source.persistentVolumeName === spec.volumeName) || undefined,
      );
      const lost = await lose(CLAIM);
      await scaleDatabase(1);
      const told = new RegExp(`code = NotFound desc = volume "${lost}" does not exist`);
      await new Bench(bench.site, "matomo").event("FailedAttachVolume", told);
    });
    after(async () => {
      await placeDatabase((pod) => Object.assign(pod, { nodeSelector: null, tolerations: null }));
      await waiting?.stop();
      logs.stop();
    });

    it("refuses without a proven backup, and with one until it was told twice", async () => {
      const { metadata } = await claimOf(CLAIM);
      logs.logs.list = '{"volume":{"bytes":2000,"free":1000}}\n';
      const without = start("--yes", "--overwrite", HOST);
      await listing(without);
      const refused = await without;
      assert.equal(refused.exitCode, 2, String(refused.stderr));
      assert.match(String(refused.stderr), /there is no proven backup\. Nothing was touched/);

      logs.logs.list = `${JSON.stringify({ name: BACKUP, manifest })}\n${logs.logs.list}`;
      const once = start("--yes");
      await listing(once);
      const { exitCode, stderr } = await once;
      assert.equal(exitCode, 2, String(stderr));
      assert.match(String(stderr), new RegExp(`recorded since ${BACKUP}`));
      assert.match(String(stderr), new RegExp(`say --overwrite ${HOST} too`));
      const after_ = await claimOf(CLAIM);
      assert.equal(after_.metadata!.resourceVersion, metadata!.resourceVersion);
      const { status } = await bench.site.get("deployment", "matomo");
      assert.equal(status.readyReplicas, 1);
    });

    it("makes what was lost anew, keeps what was not, and restores both halves", async () => {
      const [database, state] = [await claimOf(CLAIM), await claimOf("matomo")];
      const passwords = await bench.site.passwords();
      const running = start("--yes", "--overwrite", HOST, "--json");
      await listing(running);
      const pod = await podOf(waiting, running);
      const [container] = pod.spec.containers;
      assert.equal(container.name, "restore");
      const env = container.env.map(({ name, value }: Live) => `${name}=${value}`);
      assert.ok(env.includes(`BACKUP=${BACKUP}`) && env.includes(`RESTORE_CONFIRM=${HOST}`));
      const web = await bench.site.get("deployment", "matomo");
      assert.equal(web.status.readyReplicas ?? 0, 0);
      const server = await bench.site.get("statefulset", "matomo-mariadb");
      assert.equal(server.status.readyReplicas, 1);
      await waiting.kubelet.finish(pod, "Succeeded");
      const { exitCode, stdout, stderr } = await running;
      assert.equal(exitCode, 0, String(stderr));
      assert.equal(JSON.parse(String(stdout)).repaired, true);
      const anew = await claimOf(CLAIM);
      assert.notEqual(anew.metadata!.uid, database.metadata!.uid);
      assert.equal(anew.status.phase, "Bound");
      assert.equal((await claimOf("matomo")).metadata!.uid, state.metadata!.uid);
      assert.deepEqual(await bench.site.passwords(), passwords);
      const { status } = await bench.site.get("deployment", "matomo");
      assert.equal(status.readyReplicas, 1);
    });
  });

  after("leaves nothing that the next up would trip over", async () => {
    await bench.site.up();
    await bench.site.expectUnchanged();
  });
});

/** Of a proven backup, as backup.sh writes it. */
const manifest = {
  site: "matomo.liberty.example.com",
  matomo: "5.5.1",
  mariadb: "12.0.2-MariaDB",
  files: { "database.sql.zst": { bytes: 10 }, "state.tar.zst": { bytes: 10 } },
  milliseconds: { dump: 1, restore: 1, proof: 1 },
  tables: [{ rows: 1 }],
};
