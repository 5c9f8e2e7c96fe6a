import assert from "node:assert/strict";
import type { V1Container, V1CronJob } from "@kubernetes/client-node";
import { before, describe, it } from "mocha";
import { chosenBackup } from "../../../fleet/chosen-backup";
import { restoreJob } from "../../../fleet/restore-job";
import { type Rendered, render } from "../../render";
import { SCENARIOS } from "../../scenarios";

describe("what a restore is made from", () => {
  const NAME = "2026-01-31T030000Z";
  const said: [string, object][] = [
    ["newest", { backup: "newest" }],
    [NAME, { backup: NAME }],
    ["offsite", { backup: "newest", from: "offsite" }],
    ["offsite:newest", { backup: "newest", from: "offsite" }],
    [`offsite:${NAME}`, { backup: NAME, from: "offsite" }],
  ];
  for (const [from, chosen] of said) {
    it(from, () => assert.deepEqual(chosenBackup(from), chosen));
  }
  for (const from of ["", "offsite:", `offsite${NAME}`, `volume:${NAME}`, "../x", `${NAME} `]) {
    it(`refused: "${from}"`, () => {
      assert.throws(
        () => chosenBackup(from),
        /--from: found .*; allowed: newest, a name .*offsite/,
      );
    });
  }
});

describe("the restore Job", () => {
  let cronJob: V1CronJob;
  /** That of a stack with an off-site repository. */
  let offsite: V1CronJob;

  before(async () => {
    cronJob = cronJobOf(await render());
    offsite = cronJobOf(await render(SCENARIOS.offsite));
  });

  function cronJobOf(resources: Rendered[]): V1CronJob {
    const found = resources.find(
      ({ type, props }) =>
        type === "kubernetes:batch/v1:CronJob" && props.metadata.name === "matomo-backup",
    );
    return found!.props as V1CronJob;
  }

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

  it("brings a backup onto the volume first, when it is off-site", () => {
    const job = restoreJob(offsite, "r", { backup: "2026-01-01T030000Z", from: "offsite" });
    const { initContainers, containers } = job.spec!.template.spec!;
    const [fetch, ...more] = initContainers!;
    assert.deepEqual(more, []);
    assert.deepEqual(fetch.command, ["sh", "/opt/matomo/scripts/fetch-offsite.sh"]);
    const env = (container: V1Container) =>
      container.env!.map(({ name, value }) => `${name}=${value}`);
    assert.ok(env(fetch).includes("OFFSITE_BACKUP=2026-01-01T030000Z"));
    assert.equal(fetch.volumeMounts!.find(({ name }) => name === "backup")!.readOnly, false);
    assert.deepEqual(
      containers.map(({ name }) => name),
      ["restore"],
    );
    assert.ok(env(containers[0]).includes("BACKUP=offsite"));
    assert.ok(!containers[0].volumeMounts!.some(({ name }) => name === "offsite-credentials"));
    assert.equal(job.spec!.podFailurePolicy, undefined);
  });

  it("is that of any stack, when the backup is on the volume", () => {
    const { initContainers, volumes } = restoreJob(offsite, "r", { backup: "newest" }).spec!
      .template.spec!;
    assert.deepEqual(initContainers, []);
    assert.ok(!volumes!.some(({ name }) => name === "offsite-credentials"));
  });

  it("is refused from off-site where the stack has no such place", () => {
    const options = { backup: "newest", from: "offsite" as const };
    assert.throws(() => restoreJob(cronJob, "r", options), /has no off-site repository/);
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
