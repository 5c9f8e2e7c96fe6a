import assert from "node:assert/strict";
import type { V1CronJob, V1Job, V1PersistentVolumeClaim, V1Pod } from "@kubernetes/client-node";
import { describe, it } from "mocha";
import { usedByBackups } from "../../../fleet/claims";
import { lastRun } from "../../../fleet/runs";
import { judge, type Status } from "../../../fleet/status";
import { parseSettings } from "../../../components/settings";
import { MINIMAL } from "../../render";

const NOW = new Date("2026-11-24T12:00:00Z");
const ago = (hours: number) => new Date(+NOW - hours * 3_600_000).toISOString();

type Seen = Omit<Status, "problems">;
const well: Seen = {
  site: { status: 200, trusted: true, issuer: "R10", validTo: "2027-01-30T00:00:00Z" },
  aliases: [],
  pods: [
    { name: "matomo-1", component: "web", ready: true, restarts: 0 },
    { name: "matomo-mariadb-0", component: "mariadb", ready: true, restarts: 2 },
  ],
  claims: [{ name: "matomo", phase: "Bound", size: "10Gi", used: 0.2 }],
  archive: { success: ago(1), overdue: false },
  backup: { success: ago(9), overdue: false },
  versions: { matomo: { wanted: "5.5.1", live: "5.5.1" }, mariadb: { wanted: "12.0.2" } },
  drift: 0,
};

describe("the status of a site", () => {
  const settings = parseSettings({ ...MINIMAL, edge: '{"issuer":"production"}' });
  const problems = (change: Partial<Seen>, of = settings) =>
    judge({ ...well, ...change }, of, "liberty", NOW);
  const site = (change: Partial<Seen["site"]>) => ({ site: { ...well.site, ...change } });
  const alias = (change: Partial<Seen["site"]>) => ({
    aliases: [
      { host: "a.example.com", ...well.site },
      { host: "b.example.com", ...well.site, ...change },
    ],
  });
  const pod = (ready: boolean, waiting?: string) => ({
    pods: [{ ...well.pods[0], ready, waiting }, well.pods[1]],
  });
  const claim = (change: object) => ({ claims: [{ ...well.claims[0], ...change }] });

  it("has no problem when all is well, or cannot be measured", () => {
    assert.deepEqual(problems({}), []);
    assert.deepEqual(problems(alias({})), []);
    assert.deepEqual(problems({ ...claim({ used: undefined }), drift: undefined }), []);
  });

  it("believes an untrusted certificate of the staging issuer", () => {
    const staging = parseSettings({ ...MINIMAL, edge: '{"issuer":"staging"}' });
    assert.deepEqual(problems(site({ trusted: false }), staging), []);
  });

  const rows: [string, Partial<Seen>, string][] = [
    ["no answer", { site: { error: "ECONNREFUSED" } }, "matomo.example.com does not answer: ECONN"],
    ["an error page", site({ status: 503 }), "matomo.example.com answers HTTP 503"],
    [
      "a certificate that ends",
      site({ validTo: "2026-12-08T11:00:00Z" }),
      "the certificate of matomo.example.com ends in 13 days, on 2026-12-08T11:00:00Z",
    ],
    [
      "a certificate nobody believes",
      site({ trusted: false }),
      "no browser believes the certificate of matomo.example.com, which is R10's",
    ],
    [
      "a second host name without an answer",
      alias({ error: "ENOTFOUND" }),
      "b.example.com does not answer: ENOTFOUND",
    ],
    ["its error page", alias({ status: 404 }), "b.example.com answers HTTP 404"],
    [
      "its certificate that ends",
      alias({ validTo: "2026-12-08T11:00:00Z" }),
      "the certificate of b.example.com ends in 13 days",
    ],
    [
      "its certificate nobody believes",
      alias({ trusted: false }),
      "no browser believes the certificate of b.example.com, which is R10's",
    ],
    ["a missing pod", { pods: [well.pods[0]] }, "no pod of mariadb"],
    ["a pod that is not ready", pod(false), "pod matomo-1 is not ready"],
    ["and why", pod(false, "CrashLoopBackOff: x"), "is not ready: CrashLoopBackOff: x"],
    [
      "a Secret that the database does not know",
      { refusal: "ERROR 1045 (28000): Access denied" },
      "refuses the mariadb-password of Secret matomo-mariadb, which backups and new pods use: ERROR",
    ],
    ["a claim without a volume", claim({ phase: "Pending" }), "claim matomo is Pending"],
    ["a full volume", claim({ used: 0.9 }), "claim matomo is 90 % full"],
    [
      "a failed archive",
      { archive: { success: ago(3), failed: { job: "a-1", time: ago(1) }, overdue: true } },
      "archive a-1 failed; the last good one is",
    ],
    [
      "an archive that does not come",
      { archive: { overdue: true } },
      "the archive is overdue; none",
    ],
    [
      "no backup yet",
      { backup: { overdue: false } },
      "no proven backup yet: npm run fleet -- backup",
    ],
    [
      "another version",
      { versions: { ...well.versions, matomo: { wanted: "5.5.1", live: "5.4.0" } } },
      "matomo 5.4.0 runs, 5.5.1 is wanted",
    ],
    ["drift", { drift: 2 }, "2 objects differ: npm run fleet -- drift liberty"],
  ];
  for (const [title, change, told] of rows) {
    it(`tells ${title}, and nothing else`, () => {
      const found = problems(change);
      assert.equal(found.length, 1, found.join("\n"));
      assert.ok(found[0].includes(told), found[0]);
    });
  }
});

describe("the last run of a CronJob", () => {
  const cronJob = (status: object = {}, deployed = ago(100)): V1CronJob => ({
    metadata: {
      uid: "own",
      creationTimestamp: new Date(ago(9999)),
      managedFields: [
        { manager: "kube-controller-manager", time: new Date(ago(1)) },
        { manager: "pulumi-kubernetes-matomo", time: new Date(deployed) },
      ],
    },
    spec: {
      schedule: "0 3 * * *",
      startingDeadlineSeconds: 3600,
      jobTemplate: { spec: { activeDeadlineSeconds: 4 * 3600, template: {} } },
    },
    status,
  });
  const OURS = { "matomo-fleet/mounts": "0" };
  const job = (
    name: string,
    type: "Complete" | "Failed",
    hours: number,
    { uid = "own", annotations = OURS as object } = {},
  ): V1Job => ({
    metadata: {
      name,
      ownerReferences: [{ apiVersion: "batch/v1", kind: "CronJob", name: "backup", uid }],
    },
    spec: { template: { metadata: { annotations: { ...annotations } } } },
    status: { conditions: [{ type, status: "True", lastTransitionTime: new Date(ago(hours)) }] },
  });

  it("is its newest complete Job", () => {
    const jobs = [job("a", "Complete", 33), job("b", "Complete", 9)];
    assert.deepEqual(lastRun(cronJob(), jobs, NOW), {
      ...{ success: ago(9), failed: undefined, overdue: false },
    });
  });

  it("is what the CronJob remembers when its Jobs are gone", () => {
    const remembered = cronJob({ lastSuccessfulTime: new Date(ago(9)) });
    assert.equal(lastRun(remembered, [], NOW).success, ago(9));
  });

  it("is no other CronJob's", () => {
    assert.equal(
      lastRun(cronJob(), [job("a", "Complete", 1, { uid: "other" })], NOW).success,
      undefined,
    );
  });

  it("is none of the chart's that made the CronJob, nor what it remembers of them", () => {
    const old = { annotations: {} };
    const adopted = cronJob({ lastSuccessfulTime: new Date(ago(4)) }, ago(3));
    const jobs = [job("a", "Complete", 4, old), job("b", "Failed", 2, old)];
    assert.deepEqual(lastRun(adopted, jobs, NOW), {
      ...{ success: undefined, failed: undefined, overdue: false },
    });
    assert.equal(lastRun(adopted, [...jobs, job("c", "Complete", 1)], NOW).success, ago(1));
  });

  it("failed when a Job failed after the last good one, not before it", () => {
    const later = lastRun(cronJob(), [job("a", "Complete", 33), job("b", "Failed", 9)], NOW);
    assert.deepEqual(later.failed, { job: "b", time: ago(9) });
    const before = lastRun(cronJob(), [job("a", "Failed", 33), job("b", "Complete", 9)], NOW);
    assert.equal(before.failed, undefined);
  });

  it("is overdue once the next one must have ended: 03:00, an hour to start, four to run", () => {
    const last = [job("a", "Complete", 33)];
    const at = (time: string) => lastRun(cronJob(), last, new Date(`2026-11-24T${time}Z`)).overdue;
    assert.equal(at("07:59:00"), false);
    assert.equal(at("08:01:00"), true);
  });

  it("is not overdue on a site that is younger than its schedule", () => {
    assert.equal(lastRun(cronJob({}, ago(2)), [], NOW).overdue, false);
  });
});

describe("the use of the backup volume", () => {
  const pod = (
    at: string,
    message?: string,
    { component = "backup", exitCode = 0 } = {},
  ): V1Pod => ({
    metadata: { labels: { "app.kubernetes.io/component": component } },
    status: {
      containerStatuses: [
        {
          ...{ name: "backup", image: "mariadb", imageID: "", ready: false, restartCount: 0 },
          state: { terminated: { exitCode, finishedAt: new Date(at), message } },
        },
      ],
    },
  });
  const claim = ({
    made = "2026-11-01T00:00:00Z",
    storage = "1",
  } = {}): V1PersistentVolumeClaim => ({
    metadata: { creationTimestamp: new Date(made) },
    status: { capacity: { storage } },
  });
  const said = (bytes: number, free: number) => JSON.stringify({ volume: { bytes, free } });

  it("is what the newest pod that ended well said", () => {
    const pods = [
      pod("2026-11-23T03:10:00Z", said(100, 25)),
      pod("2026-11-24T03:10:00Z", said(100, 20)),
      pod("2026-11-22T03:10:00Z", said(100, 50)),
      pod("2026-11-25T03:10:00Z", said(100, 1), { exitCode: 1 }),
      pod("2026-11-26T03:10:00Z", said(100, 2), { component: "archive" }),
      pod("2026-11-26T04:10:00Z"),
    ];
    assert.equal(usedByBackups(pods, claim()), 0.8);
  });

  it("is what the step before the off-site one said, whatever came of that", () => {
    const proven = pod("2026-11-24T03:10:00Z", said(100, 20)).status!.containerStatuses!;
    const failed = pod("2026-11-24T03:20:00Z", "?", { exitCode: 1 });
    failed.status!.initContainerStatuses = proven;
    assert.equal(usedByBackups([failed], claim()), 0.8);
  });

  it("is less of a claim that has grown since, and nothing of one that was made since", () => {
    const pods = [pod("2026-11-24T03:10:00Z", said(2 ** 30, 2 ** 28))];
    assert.equal(usedByBackups(pods, claim({ storage: "1Gi" })), 0.75);
    assert.equal(usedByBackups(pods, claim({ storage: "2Gi" })), 0.375);
    const anew = claim({ made: "2026-11-24T09:00:00Z" });
    assert.equal(usedByBackups(pods, anew), undefined);
  });

  it("is not known without such a pod, or when it said something else", () => {
    for (const pods of [[], [pod("2026-11-23T03:10:00Z")], [pod("2026-11-23T03:10:00Z", "?")]]) {
      assert.equal(usedByBackups(pods, claim()), undefined);
    }
  });
});
