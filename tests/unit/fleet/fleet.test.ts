import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { driftLines, driftOf, valueAt } from "../../../fleet/drift";
import { type Revision, superfluous } from "../../../fleet/helm";
import { lastWord } from "../../../fleet/jobs";
import { EventReader, withoutMarkup } from "../../../fleet/operation";
import { parseStackFile } from "../../../fleet/stacks";

const SECRET = { "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270" };

describe("the fleet's stack files", () => {
  const file = (more = "") =>
    `config:\n  matomo:cluster: {doks: a}\n  matomo:domain: m.example.com\n  matomo:email: a@b.example\n${more}`;

  it("are read as the engine hands them over", () => {
    const settings = parseStackFile(file("  matomo:matomo: {workers: 3}\n"), "matomo");
    assert.deepEqual(settings.cluster, { doks: "a" });
    assert.equal(settings.matomo.workers, 3);
  });

  it("have all their faults told at once, in the program's words", () => {
    const text = file("  matomo:matomo: {workers: 1}\n  matomo:nothing: 1\n");
    assert.throws(() => parseStackFile(text, "matomo"), /2 faults(.|\n)*workers(.|\n)*nothing/);
  });

  it("hold no encrypted setting", () => {
    const text = file("  matomo:username: {secure: v1:abc}\n");
    assert.throws(() => parseStackFile(text, "matomo"), /matomo:username: found an encrypted/);
    const deep = file("  matomo:matomo: {version: {secure: v1:abc}}\n");
    assert.throws(
      () => parseStackFile(deep, "matomo"),
      /matomo:matomo\.version: found an encrypted/,
    );
  });

  const offsite = (keys: string) =>
    file(
      "  matomo:backup: {offsite: {endpoint: 'https://s3.example.com', bucket: backups, " +
        `${keys}}}\n`,
    );

  it("hold the off-site key encrypted, which no command needs", () => {
    const text = offsite("accessKeyId: {secure: v1:a}, secretAccessKey: {secure: v1:b}");
    const { backup } = parseStackFile(text, "matomo");
    assert.equal(backup.offsite?.bucket, "backups");
    assert.doesNotMatch(JSON.stringify(backup), /v1:/);
  });

  it("are refused with the off-site key in clear, which is not shown", () => {
    const text = offsite("accessKeyId: {secure: v1:a}, secretAccessKey: in-the-clear");
    assert.throws(
      () => parseStackFile(text, "matomo"),
      (error: Error) =>
        /backup\.offsite\.secretAccessKey: found clear text; allowed: .* --secret/.test(
          error.message,
        ) && !error.message.includes("in-the-clear"),
    );
  });
});

describe("drift", () => {
  it("finds values under dotted and quoted keys, and masks secrets wherever they are", () => {
    const root = { a: [{ "b.c/d": 1 }], s: SECRET, deep: { s: SECRET, x: [SECRET] } };
    assert.equal(valueAt(root, 'a[0]["b.c/d"]'), 1);
    assert.equal(valueAt(root, "s.key"), "[secret]");
    assert.deepEqual(valueAt(root, "deep"), { s: "[secret]", x: ["[secret]"] });
    assert.equal(valueAt(root, "not.there"), undefined);
  });

  it("is told for objects that differ or are gone, and for no other", () => {
    const metadata = { urn: "a::b::n", type: "kubernetes:core/v1:Service", provider: "" };
    const state = { outputs: { metadata: { name: "live" }, spec: { x: 1 } } };
    const step = (op: string, more: object = {}) =>
      driftOf({ ...metadata, op, old: state, ...more } as never);
    assert.equal(step("same"), undefined);
    assert.equal(step("refresh"), undefined);
    assert.deepEqual(driftLines(step("delete")!), ["Service live: is gone"]);
    const changed = step("update", {
      new: { outputs: { spec: { x: 2 } } },
      detailedDiff: { "spec.x": {} },
    });
    assert.deepEqual(driftLines(changed!), ["Service live spec.x: was 1, is 2"]);
  });
});

describe("old Helm records", () => {
  const record = (revision: number, status: string, release = "a"): Revision => ({
    ...{ namespace: "n", release, revision, status },
    secret: `sh.helm.release.v1.${release}.v${revision}`,
  });
  const gone = (revisions: Revision[], keep: number) =>
    superfluous(revisions, keep).map(({ release, revision }) => `${release}${revision}`);

  it("are all but the newest of each release", () => {
    const all = [2, 10, 1, 9].map((n) => record(n, n === 10 ? "deployed" : "superseded"));
    assert.deepEqual(gone(all, 2), ["a2", "a1"]);
    assert.deepEqual(gone([...all, record(1, "deployed", "b")], 4), []);
  });

  it("never are the deployed one, nor those of a release that Helm is working on", () => {
    const rolledBack = [record(1, "deployed"), record(2, "failed"), record(3, "failed")];
    assert.deepEqual(gone(rolledBack, 1), ["a2"]);
    assert.deepEqual(gone([...rolledBack, record(4, "pending-upgrade")], 1), []);
  });
});

describe("what a Job said last", () => {
  it("is its last error, or its last line", () => {
    assert.equal(lastWord(["a", "backup: ERROR: no", "cleaning"]), "backup: ERROR: no");
    assert.equal(lastWord(["a", "archive: done", ""]), "archive: done");
    assert.equal(lastWord([]), undefined);
  });
});

describe("the engine's events", () => {
  it("lose the engine's colours", () => {
    assert.equal(withoutMarkup("<{%fg 1%}>error:<{%reset%}> no\n"), "error: no");
  });

  it("give counts, steps that do something, violations and errors", () => {
    const reader = new EventReader(() => undefined);
    const metadata = { urn: "a::b::n", type: "t", provider: "" };
    const base = { sequence: 1, timestamp: 1 };
    const events: object[] = [
      { resOutputsEvent: { metadata: { ...metadata, op: "same" } } },
      { resOutputsEvent: { metadata: { ...metadata, op: "replace", keys: ["k"], diffs: ["k"] } } },
      { policyEvent: { policyName: "p", enforcementLevel: "mandatory", message: "m" } },
      { diagnosticEvent: { severity: "error", message: "e" } },
      { diagnosticEvent: { severity: "error", message: "e" } },
      { diagnosticEvent: { severity: "warning", message: "matomo:storage.backup: w" } },
      { diagnosticEvent: { severity: "warning", message: "of a provider" } },
      { summaryEvent: { resourceChanges: { replace: 1, same: 1 } } },
    ];
    for (const event of events) reader.read({ ...base, ...event } as never);
    const { counts, steps, violations, warnings, errors } = reader.report;
    assert.deepEqual(counts, { replace: 1, same: 1 });
    assert.deepEqual(
      steps.map(({ op, replaces }) => [op, ...replaces]),
      [["replace", "k"]],
    );
    assert.equal(violations[0].mandatory, true);
    assert.deepEqual(warnings, ["matomo:storage.backup: w"]);
    assert.deepEqual(errors, ["e"]);
  });
});
