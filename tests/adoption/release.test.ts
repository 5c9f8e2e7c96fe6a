/**
 * Issue 9, section 1: the release that adoption is tested on is the contract's, faults included, and
 * it was Helm that made it. Without this an adoption test could pass on a chart that is too good.
 */
import assert from "node:assert/strict";
import { after, before, describe, it } from "mocha";
import { type Site, titles } from "../api/harness";
import { KINDS, releasedSite } from "./bench";
import { releases } from "./helm";

/** Objects of the contract (design.md), 19 of them, and the claim that the StatefulSet makes. */
const CONTRACT = [
  "ConfigMap/matomo-config",
  "CronJob/matomo-archive",
  "CronJob/matomo-backup",
  "Deployment/matomo",
  "Ingress/matomo",
  "NetworkPolicy/matomo",
  "NetworkPolicy/matomo-mariadb",
  "PersistentVolumeClaim/data-matomo-mariadb-0",
  "PersistentVolumeClaim/matomo",
  "PersistentVolumeClaim/matomo-backup",
  "PodDisruptionBudget/matomo",
  "Role/matomo-backup",
  "RoleBinding/matomo-backup",
  "Secret/matomo",
  "Secret/matomo-mariadb",
  "Service/matomo",
  "Service/matomo-mariadb",
  "ServiceAccount/matomo",
  "ServiceAccount/matomo-backup",
  "StatefulSet/matomo-mariadb",
];

describe("the release that is adopted", () => {
  let site: Site;
  before(async () => {
    ({ site } = await releasedSite());
  });
  after(() => site?.close());

  it("has the contract's objects, and Helm knows it", async () => {
    const objects = (await site.list(KINDS)).filter(
      ({ kind, metadata }) =>
        metadata!.labels?.["app.kubernetes.io/managed-by"] === "Helm" ||
        kind === "PersistentVolumeClaim",
    );
    assert.deepEqual(titles(objects), CONTRACT);
    assert.deepEqual(await releases(site.cluster.kubeconfig), ["matomo"]);
  });

  it("has the live release's faults", async () => {
    const { spec } = await site.get("deployment", "matomo");
    assert.equal(spec.strategy.type, "RollingUpdate");
    assert.deepEqual(spec.template.spec.securityContext, {});
    const [container] = spec.template.spec.containers;
    assert.equal(container.volumeMounts[0].mountPath, "/var/www/html");
    for (const [kind, name] of [
      ["pdb", "matomo"],
      ["networkpolicy", "matomo"],
      ["networkpolicy", "matomo-mariadb"],
    ]) {
      const { selector, podSelector } = (await site.get(kind, name)).spec;
      const { matchLabels } = selector ?? podSelector;
      assert.ok(!("app.kubernetes.io/component" in matchLabels), `${kind}/${name}`);
    }
    assert.ok(!("mariadb-username" in (await site.secret("matomo-mariadb"))));
    assert.ok(!("archive-token" in (await site.secret("matomo"))));
  });
});
