/**
 * The backup CronJob's own pod on a real volume: published only when it has been restored and
 * compared, failed Jobs that leave nothing behind, and the way back (decision 4, incidents 2, 5, 19).
 * Each fault of the scripts themselves is in scripts/backup.test.ts.
 */
import * as assert from "node:assert/strict";
import type { V1CronJob } from "@kubernetes/client-node";
import { restoreJob, type RestoreOptions } from "../../fleet/restore-job";
import { HOST, type Live, needsNode, type NodeSite, sharedSite, until } from "./harness";

describe("the backup job", () => {
  let site: NodeSite;

  before(needsNode);
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

  it("leaves nothing and tries again when its pod is killed", async () => {
    const before = await published();
    await site.makeJob("matomo-backup", "backup-killed", (job) => {
      job.spec.backoffLimit = 1;
    });
    const pod = await until("the dump began", 60, async () => {
      const pods = (await site.list("pods")).filter(
        ({ metadata }) => metadata!.labels?.["job-name"] === "backup-killed",
      );
      const [status] = pods[0]?.status.containerStatuses ?? [];
      return status?.state.running && pods[0].metadata!.name!;
    });
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
    const logs = await site.kubectl(
      ...["logs", "-n", "matomo", "-l", "app.kubernetes.io/component=backup"],
      ...["--all-containers", "--tail=-1"],
    );
    assert.ok(logs.length > 0);
    assert.deepEqual(
      passwords.filter((password) => logs.includes(password)),
      [],
    );
  });

  it("brings a lost site back: visits, users, tokens that still work", async () => {
    const before = await site.query("CHECKSUM TABLE matomo_log_visit, matomo_user, matomo_site");
    await site.track("after the backup");
    await site.kubectl("scale", "-n", "matomo", "deployment/matomo", "--replicas=0");
    await until("the web pod is gone", 60, async () =>
      (await site.list("pods")).every(
        ({ metadata }) => metadata!.labels?.["app.kubernetes.io/component"] !== "web",
      ),
    );
    await site.query("DROP DATABASE matomo; CREATE DATABASE matomo");
    const restore = async (name: string, options: Partial<RestoreOptions> = {}) => {
      const cronJob = (await site.get("cronjob", "matomo-backup")) as V1CronJob;
      const job = restoreJob(cronJob, name, { backup: "newest", ...options });
      await site.cluster.kubectl(["create", "-f", "-"], JSON.stringify(job));
      return site.jobResult(name);
    };
    const refused = await restore("restore-refused");
    // The volume still holds the old site's state.
    assert.ok(!refused.succeeded, refused.log);
    assert.match(refused.log, /RESTORE_OVERWRITE/);
    const { succeeded, log } = await restore("restore-good", { replace: HOST });
    assert.ok(succeeded, log);
    assert.equal(
      await site.query("CHECKSUM TABLE matomo_log_visit, matomo_user, matomo_site"),
      before,
    );
    await site.kubectl("scale", "-n", "matomo", "deployment/matomo", "--replicas=1");
    await site.webReady();
    assert.deepEqual(await site.api("SitesManager.getAllSitesId"), [1]);
    assert.equal(await site.track("back again"), 200);
  });
});
