/** What the engine's events of a preview come to. */
import assert from "node:assert/strict";
import type { EngineEvent, PolicyEvent } from "@pulumi/pulumi/automation/events";
import { unknownValue } from "@pulumi/pulumi/runtime/rpc";
import { summarise } from "../../../fleet/checks/events";
import { masked } from "../../../fleet/checks/mask";

const CLAIM = "kubernetes:core/v1:PersistentVolumeClaim";
const SECRET_SIGNATURE = { "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270" };

/** A step as the engine announces it. */
function step(op: string, type: string, name: string, more: object = {}, inputs: object = {}) {
  const urn = `urn:pulumi:liberty::matomo::matomo:index:MatomoSite$${type}::${name}`;
  const state = { type, urn, inputs };
  const metadata = { op, urn, type, new: state, ...more };
  return { resourcePreEvent: { metadata } } as unknown as EngineEvent;
}

const diagnostic = (severity: string, message: string) =>
  ({ diagnosticEvent: { severity, message } }) as EngineEvent;

describe("a preview's events", () => {
  it("count the parts of a replacement as one, with what made it one", () => {
    const inputs = { metadata: { name: "matomo-backup", namespace: "matomo" } };
    const detailedDiff = { "spec.accessModes[0]": { diffKind: "update-replace" } };
    const { changes, objects } = summarise([
      step(
        "create-replacement",
        CLAIM,
        "backup",
        { keys: ["spec.accessModes[0]"], detailedDiff },
        inputs,
      ),
      step("replace", CLAIM, "backup", { keys: ["spec.accessModes[0]"], detailedDiff }, inputs),
      step("delete-replaced", CLAIM, "backup", { keys: ["spec.accessModes[0]"] }, inputs),
      step("same", "kubernetes:core/v1:Service", "web"),
    ]);
    assert.equal(objects, 2);
    assert.equal(changes.length, 1);
    const { op, object, differs, replacedFor, holdsData } = changes[0];
    assert.deepEqual(
      { op, object, differs, replacedFor, holdsData },
      {
        op: "replace",
        object: "PersistentVolumeClaim matomo/matomo-backup",
        differs: ["spec.accessModes[0]"],
        replacedFor: ["spec.accessModes[0]"],
        holdsData: true,
      },
    );
  });

  it("name an object by its own name only where that is known and no secret", () => {
    const secretName = { metadata: { name: SECRET_SIGNATURE } };
    const unknownName = { metadata: { name: unknownValue } };
    const { changes } = summarise([
      step("create", "kubernetes:core/v1:Secret", "first", {}, secretName),
      step("create", "kubernetes:core/v1:Secret", "second", {}, unknownName),
      step("delete", "kubernetes:core/v1:Secret", "third", { new: undefined }),
    ]);
    assert.deepEqual(
      changes.map(({ object }) => object),
      ["Secret first", "Secret second", "Secret third"],
    );
  });

  for (const type of [
    "kubernetes:core/v1:Namespace",
    "kubernetes:core/v1:PersistentVolume",
    CLAIM,
    "kubernetes:core/v1:Secret",
    "kubernetes:apps/v1:StatefulSet",
    "digitalocean:index/volume:Volume",
    "random:index/randomPassword:RandomPassword",
  ]) {
    it(`know that ${type} holds data`, () => {
      assert.equal(summarise([step("delete", type, "x")]).changes[0].holdsData, true);
    });
  }

  it("know that a Deployment holds none", () => {
    const [change] = summarise([step("delete", "kubernetes:apps/v1:Deployment", "web")]).changes;
    assert.equal(change.holdsData, false);
  });

  it("hold no property's value", () => {
    const inputs = { metadata: { name: "matomo" }, stringData: { password: "open-sesame" } };
    const detailedDiff = { "stringData.password": { diffKind: "update" } };
    const summary = summarise([
      step("update", "kubernetes:core/v1:Secret", "site", { detailedDiff }, inputs),
    ]);
    assert.deepEqual(summary.changes[0].differs, ["stringData.password"]);
    assert.doesNotMatch(JSON.stringify(summary), /open-sesame/);
  });

  it("tell a violation once: its description is the rule's, its page too", () => {
    const policyEvent = {
      policyName: "image-is-pinned",
      enforcementLevel: "mandatory",
      message:
        "Every image names a version that stays what it is.\nPod a/b: image: latest. Pin it.",
    } as PolicyEvent;
    const { violations } = summarise([{ policyEvent } as EngineEvent]);
    assert.equal(violations[0].level, "mandatory");
    assert.match(violations[0].url ?? "", /^https:/);
    assert.match(violations[0].message, /Pod a\/b: image: latest\. Pin it\.$/);
  });

  it("take the program's own warnings of its settings, and nobody else's", () => {
    const { warnings, errors } = summarise([
      diagnostic("warning", "<{%fg 1%}>matomo:storage.backup: too small<{%reset%}>\n"),
      diagnostic("warning", "using pulumi-resource-random from $PATH"),
      diagnostic("info", "matomo:storage.backup: fine"),
    ]);
    assert.deepEqual(warnings, ["matomo:storage.backup: too small"]);
    assert.deepEqual(errors, []);
  });

  it("take errors, and the warning that no cluster was seen, as failures; no other warning", () => {
    const { errors } = summarise([
      diagnostic("error", "<{%fg 1%}>no such cluster<{%reset%}>\n"),
      diagnostic("error", "failed to run remediation: context canceled"),
      diagnostic("warning", "configured Kubernetes cluster is unreachable: x509"),
      diagnostic("warning", "using pulumi-resource-random from $PATH"),
    ]);
    assert.deepEqual(errors, [
      "no such cluster",
      "configured Kubernetes cluster is unreachable: x509",
    ]);
  });
});

describe("credentials of the environment", () => {
  it("are masked wherever they stand, the longest first", () => {
    const env = {
      DIGITALOCEAN_TOKEN: "dop_v1_abcdef",
      PULUMI_CONFIG_PASSPHRASE: "dop_v1_abcdef-and-more",
      HOME: "/home/someone",
      TOKEN_KIND: "short",
    };
    const error = "401 for dop_v1_abcdef-and-more, dop_v1_abcdef; a short one of /home/someone";
    assert.deepEqual(masked({ error, list: [error, 1] }, env), {
      error: "401 for [secret], [secret]; a short one of /home/someone",
      list: ["401 for [secret], [secret]; a short one of /home/someone", 1],
    });
  });
});
