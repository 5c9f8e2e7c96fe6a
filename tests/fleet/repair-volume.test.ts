/**
 * `repair-volume` on a cluster whose storage driver loses volumes: what is lost is said at once, a
 * healthy volume is never touched, and what was interrupted goes on (incident 7).
 */
import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { endOrphans, type Live, titles } from "../api/harness";
import { Bench } from "../incidents/cluster/bench";
import { onWaitingNodes } from "../incidents/cluster/kubelet";
import { drawn } from "../soak";
import { within } from "../waits";
import { FleetBench, sharedBench, type Ending } from "./bench";
import { LogServer } from "./log-server";
import { Volumes } from "./volumes";
import { type FleetEnd, WaitingCronJob } from "./waiting-cron-job";

describe("fleet repair-volume", () => {
  let bench: FleetBench;
  let volumes: Volumes;

  before(async () => {
    ({ bench } = await sharedBench());
    volumes = new Volumes(bench.site);
  });

  const claimOf = (name: string) => volumes.claim(name);

  /** What a repair has begun, or ended. */
  async function journals(): Promise<string[]> {
    return fs.readdir(path.join(bench.stacks, ".repair")).catch(() => []);
  }

  describe("of the backup's volume", () => {
    const repair = (...more: string[]) => bench.run("repair-volume", "liberty", "backup", ...more);
    let waiting: WaitingCronJob;
    let lost: string;

    const createJob = (name: string) =>
      bench.site.kubectl("create", "job", name, "--from=cronjob/matomo-backup", "-n", "matomo");

    before(async () => {
      waiting = new WaitingCronJob(bench.site, "matomo-backup");
      await waiting.start();
      // The last night's: its pod has ended, and names the claim until it goes.
      await createJob("night");
      await waiting.kubelet.finish(await waiting.pod(), "Succeeded");
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

    it("says what was lost and what it would do, and touches nothing", async () => {
      lost = await volumes.lose("matomo-backup");
      const { metadata } = await claimOf("matomo-backup");
      await createJob("old");
      const told = new RegExp(`code = NotFound desc = volume "${lost}" does not exist`);
      await new Bench(bench.site, "matomo").event("FailedAttachVolume", told);
      const { stdout, exitCode } = await repair();
      assert.equal(exitCode, 1);
      assert.match(stdout, /^matomo-backup LOST\n/);
      assert.match(stdout, told);
      assert.match(stdout, /DigitalOcean has no Volume pvc-/);
      assert.match(stdout, /\n +3\. back up at once/);
      assert.match(stdout, /Nothing was touched/);
      const after_ = await claimOf("matomo-backup");
      assert.equal(after_.metadata!.resourceVersion, metadata!.resourceVersion);
      assert.deepEqual(await journals(), []);
    });

    it("makes it anew while Jobs have it, and goes on after an interruption", async () => {
      const before_ = await claimOf("matomo-backup");
      const first = bench.start({}, "repair-volume", "liberty", "backup", "--yes");
      const pod = await waiting.podOf(first);
      first.kill("SIGINT");
      const { exitCode, stderr } = await first;
      assert.equal(exitCode, 130, String(stderr));
      const made = await claimOf("matomo-backup");
      assert.notEqual(made.metadata!.uid, before_.metadata!.uid);
      assert.equal(made.status.phase, "Bound");
      const [journal] = await journals();
      assert.equal(journal, "liberty-backup.json");
      const file = path.join(bench.stacks, ".repair", journal);
      assert.equal((await fs.stat(file)).mode & 0o777, 0o600);
      // The state that it keeps is encrypted as ever.
      const kept = await fs.readFile(file, "utf8");
      const secrets = Object.values(await bench.site.passwords());
      assert.ok(secrets.length > 3 && kept.includes('"ciphertext"'));
      for (const secret of secrets) assert.ok(!kept.includes(secret));
      await waiting.kubelet.finish(pod, "Succeeded");

      const again = bench.start({}, "repair-volume", "liberty", "backup", "--yes", "--json");
      await waiting.kubelet.finish(await waiting.podOf(again), "Succeeded");
      const ended = await again;
      assert.equal(ended.exitCode, 0, String(ended.stderr));
      assert.match(String(ended.stderr), /goes on with the repair of 20/);
      const { repaired, job } = JSON.parse(String(ended.stdout));
      assert.deepEqual([repaired, job.ok], [true, true]);
      assert.equal((await claimOf("matomo-backup")).metadata!.uid, made.metadata!.uid);
      const jobs = await bench.site.list("jobs");
      assert.ok(!jobs.some(({ metadata }) => ["night", "old"].includes(metadata!.name!)));
      assert.ok(!(await journals()).includes("liberty-backup.json"));
    });
  });

  describe("of the data's volumes", () => {
    const DATABASE = "data-matomo-mariadb-0";
    const WEB = "matomo";
    /** Who has the claim. */
    const WORKLOADS: Record<string, [kind: string, name: string]> = {
      [WEB]: ["deployment", "matomo"],
      [DATABASE]: ["statefulset", "matomo-mariadb"],
    };
    const HOST = "matomo.liberty.example.com";
    const BACKUP = "2026-11-20T030000Z";
    const logs = new LogServer();
    let waiting: WaitingCronJob;

    const start = (...more: string[]) =>
      bench.start({}, "repair-volume", "liberty", "data", ...more);

    /** Tells it on a terminal, and then types this where the host name is asked for. */
    const onTerminal = (host: string) =>
      bench.onTerminal(
        [
          [/Repair it\?\s+Type yes to go on: /, "yes\r"],
          [new RegExp(`database and state are replaced\\.\\s+Type ${HOST} to`), `${host}\r`],
        ],
        ...["repair-volume", "liberty", "data"],
      );

    /** The command's first Job, the list of the backups, ends well. */
    const listing = (command: PromiseLike<FleetEnd>) => waiting.ended(command, "list");

    async function place(change: (podSpec: Live) => void): Promise<void> {
      for (const workload of Object.values(WORKLOADS)) {
        const { spec } = await bench.site.get(...workload);
        change(spec.template.spec);
        const body = JSON.stringify({ spec: { template: spec.template } });
        const merge = ["--type=merge", "--field-manager=test", "-n", "matomo", "-p", body];
        await bench.site.kubectl("patch", ...workload, ...merge);
        const rollout = ["rollout", "status", workload.join("/"), "-n", "matomo"];
        await bench.site.kubectl(...rollout, within("rolloutEnds"));
      }
    }

    async function scale(claims: string[], replicas: number): Promise<void> {
      const workloads = claims.map((claim) => WORKLOADS[claim].join("/"));
      const to = [`--replicas=${replicas}`, "-n", "matomo"];
      await bench.site.kubectl("scale", ...workloads, ...to);
    }

    async function ready(): Promise<{ web: number; database: number }> {
      return { web: await bench.readyPods("web"), database: await bench.readyPods("mariadb") };
    }

    /** Loses volumes whose pods wait for them then. */
    async function loseUsed(...claims: string[]): Promise<void> {
      const waits = new Bench(bench.site, "matomo");
      // Detached first: on the node that has it nobody would attach it again.
      await scale(claims, 0);
      const names = (await Promise.all(claims.map(claimOf))).map(({ spec }) => spec.volumeName);
      await waits.seen(
        "/apis/storage.k8s.io/v1/volumeattachments",
        `${claims.join(" and ")} detached`,
        (all) =>
          !all.some(({ spec }) => names.includes(spec.source.persistentVolumeName)) || undefined,
      );
      const lost = await Promise.all(claims.map((claim) => volumes.lose(claim)));
      await scale(claims, 1);
      for (const id of lost) {
        await waits.event("FailedAttachVolume", new RegExp(`NotFound desc = volume "${id}" does`));
      }
    }

    before(async () => {
      waiting = new WaitingCronJob(bench.site, "matomo-backup");
      await waiting.start();
      await logs.start(bench.site);
      await place(onWaitingNodes);
      await loseUsed(DATABASE);
    });
    after(async () => {
      logs.stop();
      try {
        await place((pod) => Object.assign(pod, { nodeSelector: null, tolerations: null }));
      } finally {
        await waiting?.stop();
      }
    });

    it("refuses without a proven backup, and with one until it was told twice", async () => {
      const { metadata } = await claimOf(DATABASE);
      logs.list();
      const without = start("--yes", "--overwrite", HOST);
      await listing(without);
      const refused = await without;
      assert.equal(refused.exitCode, 2, String(refused.stderr));
      assert.match(String(refused.stderr), /there is no proven backup\. Nothing was touched/);

      logs.list(BACKUP);
      const once = start("--yes");
      await listing(once);
      const { exitCode, stderr } = await once;
      assert.equal(exitCode, 2, String(stderr));
      assert.match(String(stderr), new RegExp(`recorded since ${BACKUP}`));
      assert.match(String(stderr), new RegExp(`say --overwrite ${HOST} too`));

      const wrong = onTerminal("yes");
      await listing(wrong);
      const ended = await wrong;
      assert.equal(ended.exitCode, 1, ended.shown);
      assert.match(ended.shown, /Nothing was touched/);
      const after_ = await claimOf(DATABASE);
      assert.equal(after_.metadata!.resourceVersion, metadata!.resourceVersion);
      assert.equal((await ready()).web, 1);
    });

    it("makes what was lost anew, keeps what was not, and restores both halves", async () => {
      const told = (): PromiseLike<FleetEnd> => start("--yes", "--overwrite", HOST);
      for (const [lost, kept, repair] of [
        [DATABASE, WEB, told],
        [WEB, DATABASE, (): PromiseLike<FleetEnd> => onTerminal(HOST)],
      ] as const) {
        if (lost === WEB) await loseUsed(WEB);
        const [gone, stays] = [await claimOf(lost), await claimOf(kept)];
        const passwords = await bench.site.passwords();
        const running = repair();
        await listing(running);
        const pod = await waiting.podOf(running);
        const [container] = pod.spec.containers;
        assert.equal(container.name, "restore");
        const env = container.env.map(({ name, value }: Live) => `${name}=${value}`);
        assert.ok(env.includes(`BACKUP=${BACKUP}`) && env.includes(`RESTORE_CONFIRM=${HOST}`));
        assert.deepEqual(await ready(), { web: 0, database: 1 });
        await waiting.kubelet.finish(pod, "Succeeded");
        const { exitCode, stderr, shown } = await running;
        assert.equal(exitCode, 0, String(stderr ?? shown));
        const anew = await claimOf(lost);
        assert.notEqual(anew.metadata!.uid, gone.metadata!.uid);
        assert.equal(anew.status.phase, "Bound");
        assert.equal((await claimOf(kept)).metadata!.uid, stays.metadata!.uid);
        assert.deepEqual(await bench.site.passwords(), passwords);
        assert.deepEqual(await ready(), { web: 1, database: 1 });
      }
    });

    /** Starts it as the head of a group of processes; with an ending, it is ended at those words. */
    function startKillable(ending?: Ending) {
      const env = ending ? { FLEET_ENDING: JSON.stringify(ending) } : {};
      // It asks nothing in a pod.
      const killable = new FleetBench(bench.site, bench.stacks, {}, { accepted: {}, mariadb: "" });
      const args = ["repair-volume", "liberty", "data", "--yes", "--overwrite", HOST];
      return killable.start({ detached: true, env }, ...args);
    }

    const endRest = () => endOrphans(bench.site.engine.env.PULUMI_HOME!);

    /** Kills it, with all that it started, when it says so; meanwhile its Job may have to end. */
    async function killAt(
      words: string,
      meanwhile?: (command: PromiseLike<FleetEnd>) => Promise<unknown>,
    ): Promise<void> {
      const command = startKillable({ words: `liberty: ${words}`, signal: "SIGKILL" });
      await meanwhile?.(command);
      const { signal, stderr } = await command;
      assert.equal(signal, "SIGKILL", `no ${words}:\n${String(stderr)}`);
      await endRest();
    }

    /** Jobs that brought a backup back; one of the archive may come and go at any time. */
    async function restores(): Promise<string[]> {
      const names = titles(await bench.site.list("jobs"));
      return names.filter((name) => name.startsWith("Job/matomo-restore-"));
    }

    it("killed anywhere, goes on by its journal until both are there, once", async () => {
      await loseUsed(WEB, DATABASE);
      const backup = await claimOf("matomo-backup");
      const passwords = await bench.site.passwords();
      const unlock = () => bench.site.pulumi(["cancel", "--yes"]);
      const before_ = [
        "takes what is lost out of the state",
        "preview: what is not lost must stay",
        "the web pod goes",
        "takes claim matomo away",
        "takes claim data-matomo-mariadb-0 away",
      ];
      for (const [i, words] of drawn(before_, 2).entries()) {
        // Once it has begun, it knows the backup.
        await killAt(words, i === 0 ? listing : undefined);
      }
      await killAt("create PersistentVolumeClaim");
      const locked = await startKillable();
      assert.equal(locked.exitCode, 1);
      assert.match(String(locked.stderr), /locked.*pulumi cancel/s);
      await unlock();
      await killAt("the database comes");

      const cut = startKillable();
      const pod = await waiting.podOf(cut);
      process.kill(-cut.pid!, "SIGKILL");
      await cut;
      await endRest();
      const beside = await startKillable();
      assert.equal(beside.exitCode, 2, String(beside.stderr));
      assert.match(String(beside.stderr), /Job matomo-restore-\w+ is running: wait for its end/);
      assert.deepEqual(await ready(), { web: 0, database: 1 });
      await waiting.kubelet.finish(pod, "Succeeded");
      await killAt("the web pod comes again", async (command) =>
        waiting.kubelet.finish(await waiting.podOf(command), "Succeeded"),
      );

      const made = await restores();
      const last = await startKillable();
      assert.equal(last.exitCode, 0, String(last.stderr));
      assert.deepEqual(await restores(), made, "it was restored again");
      assert.deepEqual(await ready(), { web: 1, database: 1 });
      assert.deepEqual(await bench.site.passwords(), passwords);
      assert.equal((await claimOf("matomo-backup")).metadata!.uid, backup.metadata!.uid);
      await volumes.assertEachOnce();
    });

    it("does not go on with a repair that was ended by other means", async () => {
      const folder = path.join(bench.stacks, ".repair");
      const ended = (await journals()).filter((name) => name.startsWith("liberty-data-")).at(-1)!;
      const { restored, ...cut } = JSON.parse(await fs.readFile(path.join(folder, ended), "utf8"));
      assert.equal(restored.ok, true);
      // Whether the site serves is told by the Deployment's status, which is written after the pod's.
      const rollout = ["rollout", "status", "deployment/matomo", "-n", "matomo"];
      await bench.site.kubectl(...rollout, within("rolloutEnds"));
      const file = path.join(folder, "liberty-data.json");
      await fs.writeFile(file, JSON.stringify(cut));
      try {
        const { exitCode, stderr } = await startKillable();
        assert.equal(exitCode, 2, String(stderr));
        assert.match(
          String(stderr),
          /the site serves: the repair of 20.* was ended by other means/,
        );
        assert.deepEqual(await ready(), { web: 1, database: 1 });
      } finally {
        await fs.rm(file);
      }
    });
  });

  after("leaves nothing that the next up would trip over", async () => {
    await bench.site.up();
    await bench.site.expectUnchanged();
  });
});
