import assert from "node:assert/strict";
import type { V1CronJob } from "@kubernetes/client-node";
import { before, describe, it } from "mocha";
import { restoreJob } from "../../../fleet/restore-job";
import { render } from "../../render";

describe("the restore Job", () => {
  let cronJob: V1CronJob;

  before(async () => {
    const resources = await render();
    const found = resources.find(
      ({ type, props }) =>
        type === "kubernetes:batch/v1:CronJob" && props.metadata.name === "matomo-backup",
    );
    cronJob = found!.props as V1CronJob;
  });

  const claims = (job: ReturnType<typeof restoreJob>) =>
    job.spec!.template.spec!.volumes!.flatMap(
      ({ persistentVolumeClaim }) => persistentVolumeClaim?.claimName ?? [],
    );

  it("is the nightly pod with the web pod's volume beside its own", () => {
    const job = restoreJob(cronJob, "matomo-restore-1", { backup: "newest" });
    assert.deepEqual(claims(job), ["matomo-backup", "matomo"]);
    const night = cronJob.spec!.jobTemplate.spec!;
    assert.deepEqual(job.spec!.template.metadata, night.template.metadata);
    assert.equal(job.spec!.activeDeadlineSeconds, night.activeDeadlineSeconds);
    const [container, ...more] = job.spec!.template.spec!.containers;
    assert.deepEqual(more, []);
    assert.deepEqual(container.command, ["bash", "/opt/matomo/scripts/restore.sh"]);
    assert.deepEqual(job.spec!.template.spec!.initContainers, []);
  });

  it("writes the state as the web server's user", () => {
    const job = restoreJob(cronJob, "matomo-restore-1", { backup: "newest" });
    const { runAsUser, fsGroup, runAsNonRoot } = job.spec!.template.spec!.securityContext!;
    assert.deepEqual(
      { runAsUser, fsGroup, runAsNonRoot },
      { runAsUser: 33, fsGroup: 33, runAsNonRoot: true },
    );
  });

  it("replaces a live site only when its host was said again", () => {
    const names = (replace?: string) =>
      restoreJob(cronJob, "r", { backup: "2026-01-01T030000Z", replace })
        .spec!.template.spec!.containers[0].env!.map(({ name, value }) => `${name}=${value}`)
        .filter((pair) => /^(BACKUP|RESTORE)/.test(pair));
    assert.deepEqual(names(), ["BACKUP=2026-01-01T030000Z"]);
    assert.deepEqual(names("a.example.com"), [
      "BACKUP=2026-01-01T030000Z",
      "RESTORE_OVERWRITE=yes",
      "RESTORE_CONFIRM=a.example.com",
    ]);
  });

  it("leaves the CronJob as it is", () => {
    const before = structuredClone(cronJob);
    restoreJob(cronJob, "r", { backup: "newest" });
    assert.deepEqual(cronJob, before);
  });

  it("refuses the backup of another program", () => {
    const foreign = structuredClone(cronJob);
    foreign.spec!.jobTemplate.spec!.template.spec!.containers[0].command = [
      "/bin/sh",
      "-c",
      "dump",
    ];
    assert.throws(() => restoreJob(foreign, "r", { backup: "newest" }), /Deploy the stack first/);
  });
});
