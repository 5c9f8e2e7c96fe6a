/**
 * The backup CronJob's own pod on a real volume: published only when it has been restored and
 * compared, failed Jobs that leave nothing behind, and the way back (decision 4, incidents 2, 5, 19).
 * Each fault of the scripts themselves is in scripts/backup.test.ts.
 */
import * as assert from "node:assert/strict";
import type { V1CronJob } from "@kubernetes/client-node";
import { restoreJob } from "../../fleet/restore-job";
import { isSoak } from "../soak";
import { eventually } from "../waits";
import { type Live, type NodeSite, sharedSite } from "./harness";

describe("the backup job", () => {
  let site: NodeSite;

  before(async () => {
    site = await sharedSite();
  });

  /** Runs a shell script with the backup claim mounted, in a pod like the backup's. */
  let looks = 0;
  const look = async (script: string): Promise<string> => {
    const { succeeded, log } = await site.runJob("matomo-backup", `look-${looks++}`, (job) => {
      const { spec } = job.spec.template;
      spec.initContainers = [];
      spec.containers[0].command = ["bash", "-c", script];
      job.spec.backoffLimit = 0;
    });
    assert.ok(succeeded, log);
    return log.replace(/^\[[^\]]*\] /gm, "");
  };
  const once = (job: Live) => {
    job.spec.backoffLimit = 0;
  };
  const published = async () =>
    (await look("ls /backup | grep -v lost+found || true")).split("\n").filter(Boolean);

  it("publishes a backup that it has restored", async () => {
    const { succeeded, log } = await site.runJob("matomo-backup", "backup-good", once);
    assert.ok(succeeded, log);
    const names = await published();
    assert.equal(names.length, 1);
    assert.match(names[0], /^\d{4}-\d\d-\d\dT\d{6}Z$/);
    const manifest = JSON.parse(await look(`cat /backup/${names[0]}/manifest.json`));
    assert.equal(manifest.proven, true);
    const visits = manifest.tables.find(({ name }: Live) => name === "matomo_log_visit");
    assert.equal(visits.rows, await site.visits());
  });

  it("does so beside the web pod that holds its volume", async () => {
    const pod = await site.pod("web");
    assert.equal(pod.status.containerStatuses[0].ready, true);
    const job = await site.get("cronjob", "matomo-backup");
    const claims = job.spec.jobTemplate.spec.template.spec.volumes
      .map((volume: Live) => volume.persistentVolumeClaim?.claimName)
      .filter(Boolean);
    assert.deepEqual(claims, ["matomo-backup"]);
  });

  it("holds the largest row that Matomo can write, within its memory", async () => {
    // An archive's value is a MEDIUMBLOB.
    await site.query("CREATE TABLE matomo_archive_large (id INT PRIMARY KEY, value MEDIUMBLOB)");
    const value = "LEFT(REPEAT(RANDOM_BYTES(1024), 16384), 16777215)";
    await site.query(`INSERT INTO matomo_archive_large SELECT seq, ${value} FROM seq_1_to_3`);
    try {
      const { succeeded, log } = await site.runJob("matomo-backup", "backup-large", once);
      assert.ok(succeeded, log);
    } finally {
      await site.query("DROP TABLE matomo_archive_large");
    }
  });

  it("holds many times its memory of rows: two gigabytes in the soak, else a fifth", async () => {
    await site.query("CREATE TABLE matomo_log_large (id INT PRIMARY KEY, value TEXT)");
    // The fifth still fills the database's buffer pool twice.
    const rows = (isSoak ? 5 : 1) * 210_000;
    try {
      // 64 times 32 bytes a row, no two alike.
      const value = "REPEAT(MD5(seq), 64)";
      await site.query(`INSERT INTO matomo_log_large SELECT seq, ${value} FROM seq_1_to_${rows}`);
      await site.makeJob("matomo-backup", "backup-many-rows", (job) => {
        once(job);
        // With its fifth of a processor it would take a quarter of an hour; its memory is the matter.
        job.spec.template.spec.containers[0].resources.limits.cpu = "2";
      });
      const { succeeded, log } = await site.jobResult(
        "backup-many-rows",
        isSoak ? "largeJobEnds" : "jobEnds",
      );
      assert.ok(succeeded, log);
      const newest = (await published()).at(-1)!;
      const manifest = JSON.parse(await look(`cat /backup/${newest}/manifest.json`));
      const large = manifest.tables.find(({ name }: Live) => name === "matomo_log_large");
      assert.equal(large.rows, rows);
      // The database's own limit: its buffer pool is full by now, and every connection but a few for
      // others holds the largest temporary table, one of them the largest packet.
      const busy = await site.runJob("matomo-backup", "database-busy", (job) => {
        once(job);
        const { spec } = job.spec.template;
        spec.initContainers = [];
        spec.containers[0].command = ["bash", "-c", BUSY];
      });
      assert.ok(busy.succeeded, busy.log);
      await site.assertNoneKilled("mariadb");
      const { peak, limit } = await site.memory("mariadb");
      assert.ok(peak > limit * 0.6);
    } finally {
      await site.query("DROP TABLE matomo_log_large");
    }
  });

  it("leaves nothing and tries again when its pod is killed", async () => {
    const before = await published();
    await site.makeJob("matomo-backup", "backup-killed", (job) => {
      job.spec.backoffLimit = 1;
      // The first dump does not end by itself.
      job.spec.template.spec.containers[0].command = [
        ...["bash", "-c"],
        "[ -e /backup/.held ] && rm /backup/.held && exec bash /opt/matomo/scripts/backup.sh; " +
          "touch /backup/.held; mkdir /tmp/bin; " +
          "printf '#!/bin/bash\\nexec sleep infinity\\n' >/tmp/bin/zstd; chmod +x /tmp/bin/zstd; " +
          "PATH=/tmp/bin:$PATH exec bash /opt/matomo/scripts/backup.sh",
      ];
    });
    const began = async () => {
      const [found] = (await site.list("pods")).filter(
        ({ metadata }) => metadata!.labels?.["job-name"] === "backup-killed",
      );
      const name = found?.metadata!.name;
      const log = name && (await site.kubectl("logs", "-n", "matomo", name));
      return log?.includes("dumping") && name;
    };
    const pod = await eventually("the dump began", began, "podReady");
    await site.kubectl("delete", "pod", "-n", "matomo", pod, "--grace-period=0", "--force");
    const { succeeded, log } = await site.jobResult("backup-killed");
    assert.ok(succeeded, log);
    const after = await published();
    assert.equal(after.length, before.length + 1);
    assert.equal((await look("ls -A /backup/.work 2>/dev/null || true")).trim(), "");
  });

  it("fails without a trace when the database is gone", async () => {
    const before = await published();
    const { succeeded, log } = await site.runJob("matomo-backup", "backup-database", (job) => {
      once(job);
      const { env } = job.spec.template.spec.containers[0];
      env.find(({ name }: Live) => name === "DATABASE_PORT").value = "3307";
    });
    assert.ok(!succeeded, log);
    assert.match(log, /ERROR/);
    assert.deepEqual(await published(), before);
  });

  it("fails without a trace when the volume is full", async () => {
    const before = await published();
    await look(
      "fallocate -l $(( $(df --output=avail -B1 /backup | tail -n 1) - 1000000 )) /backup/full",
    );
    try {
      const { succeeded, log } = await site.runJob("matomo-backup", "backup-full", once);
      assert.ok(!succeeded, log);
      assert.match(log, /ERROR/);
    } finally {
      await look("rm /backup/full");
    }
    assert.deepEqual(await published(), before);
  });

  it("never says a password", async () => {
    const passwords = Object.values(await site.passwords());
    const logs = site.said.join("\n");
    assert.match(logs, /backup: restoring into a throw-away server/);
    assert.deepEqual(
      passwords.filter((password) => logs.includes(password)),
      [],
    );
  });

  describe("restore", () => {
    const restore = async (name: string) => {
      const cronJob = (await site.get("cronjob", "matomo-backup")) as V1CronJob;
      const job = restoreJob(cronJob, name, { backup: "newest" });
      await site.cluster.kubectl(["create", "-f", "-"], JSON.stringify(job));
      return site.jobResult(name);
    };
    it("leaves a site alone that is there, unless it is told twice", async () => {
      const { succeeded, log } = await restore("restore-refused");
      assert.ok(!succeeded, log);
      assert.match(log, /RESTORE_OVERWRITE/);
      assert.equal(await site.track("after a refusal"), 200);
    });
  });
});

const BUSY = `
  set -euo pipefail
  . /opt/matomo/scripts/backup-lib.sh
  write_client_options "$DATABASE_HOST" "$DATABASE_PORT"
  table="SELECT LEFT(value, 255) AS v FROM matomo_log_large WHERE id <= 40000 GROUP BY v"
  pids=()
  live "SELECT LENGTH(REPEAT('x', 127 * 1048576)), SLEEP(10)" & pids+=($!)
  for _ in $(seq $(($(live "SELECT @@max_connections") - 6))); do
    live "SELECT COUNT(*), SLEEP(10) FROM ($table) AS held" & pids+=($!)
  done
  for pid in "\${pids[@]}"; do wait "$pid"; done`;
