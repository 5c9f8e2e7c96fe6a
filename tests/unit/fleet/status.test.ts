import assert from "node:assert/strict";
import type { V1CronJob, V1Job } from "@kubernetes/client-node";
import { describe, it } from "mocha";
import { lastRun } from "../../../fleet/runs";
import { judge, type Status } from "../../../fleet/status";
import { parseSettings } from "../../../components/settings";
import { MINIMAL } from "../../render";

const NOW = new Date("2026-11-24T12:00:00Z");
const ago = (hours: number) => new Date(+NOW - hours * 3_600_000).toISOString();

type Seen = Omit<Status, "problems">;
const well: Seen = {
  site: { status: 200, trusted: true, issuer: "R10", validTo: "2027-01-30T00:00:00Z" },
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
  const pod = (ready: boolean, waiting?: string) => ({
    pods: [{ ...well.pods[0], ready, waiting }, well.pods[1]],
  });
  const claim = (change: object) => ({ claims: [{ ...well.claims[0], ...change }] });

  it("has no problem when all is well, or cannot be measured", () => {
    assert.deepEqual(problems({}), []);
    assert.deepEqual(problems({ ...claim({ used: undefined }), drift: undefined }), []);
  });

  it("believes an untrusted certificate of the staging issuer", () => {
    const staging = parseSettings({ ...MINIMAL, edge: '{"issuer":"staging"}' });
    assert.deepEqual(problems(site({ trusted: false }), staging), []);
  });

  const rows: [string, Partial<Seen>, string][] = [
    ["no answer", { site: { error: "ECONNREFUSED" } }, "matomo.example.com does not answer: ECONN"],
    ["an error page", site({ status: 503 }), "matomo.example.com answers HTTP 503"],
    ["a certificate that ends", site({ validTo: "2026-12-08T11:00:00Z" }), "ends in 13 days"],
    ["a certificate nobody believes", site({ trusted: false }), "no browser believes"],
    ["a missing pod", { pods: [well.pods[0]] }, "no pod of mariadb"],
    ["a pod that is not ready", pod(false), "pod matomo-1 is not ready"],
    ["and why", pod(false, "CrashLoopBackOff: x"), "is not ready: CrashLoopBackOff: x"],
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
  const cronJob = (status: object = {}, created = ago(100)): V1CronJob => ({
    metadata: { uid: "own", creationTimestamp: new Date(created) },
    spec: {
      schedule: "0 3 * * *",
      startingDeadlineSeconds: 3600,
      jobTemplate: { spec: { activeDeadlineSeconds: 4 * 3600, template: {} } },
    },
    status,
  });
  const job = (name: string, type: "Complete" | "Failed", hours: number, uid = "own"): V1Job => ({
    metadata: {
      name,
      ownerReferences: [{ apiVersion: "batch/v1", kind: "CronJob", name: "backup", uid }],
    },
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
    assert.equal(lastRun(cronJob(), [job("a", "Complete", 1, "other")], NOW).success, undefined);
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
