/** Who owns which field, before and after an object is handed over. */
import assert from "node:assert/strict";
import {
  divide,
  handEditors,
  handOver,
  type ManagedFields,
  stated,
  union,
} from "../../../../fleet/adoption/fields";

const claim = {
  apiVersion: "v1",
  kind: "PersistentVolumeClaim",
  metadata: { name: "data-matomo-mariadb-0", namespace: "matomo", labels: { team: "web" } },
  spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "8Gi" } } },
};
const options = { apiVersion: "v1", manager: "program", wanted: claim, asked: claim };
const entry = (manager: string, operation: string, object: object, more = {}): ManagedFields => ({
  ...{ manager, operation, fieldsV1: stated(object), fieldsType: "FieldsV1" },
  ...more,
});

describe("adoption: fields and their managers", () => {
  it("a tree is divided by another one, leaf by leaf", () => {
    const fields = stated({ metadata: { labels: { a: "1", b: "2" } }, spec: { x: 1 } });
    const { covered, rest } = divide(fields, stated({ metadata: { labels: { a: "3" } } }));
    assert.deepEqual(covered, stated({ metadata: { labels: { a: "1" } } }));
    assert.deepEqual(rest, stated({ metadata: { labels: { b: "2" } }, spec: { x: 1 } }));
    assert.deepEqual(union(covered, rest), fields);
  });

  it("what Helm applied is the program's, whole; its status entry stays the controller's", () => {
    const status = entry("kube-controller-manager", "Update", { status: { phase: "Bound" } });
    const managed = [entry("helm", "Apply", { metadata: { labels: { gone: "1" } } })];
    const after = handOver([...managed, { ...status, subresource: "status" }], options);
    assert.deepEqual(
      after.map(({ manager, subresource }) => [manager, subresource]),
      [
        ["program", undefined],
        ["kube-controller-manager", "status"],
      ],
    );
    assert.deepEqual(after[0].fieldsV1, stated({ metadata: { labels: { gone: "1" } } }));
    assert.equal(after[0].operation, "Apply");
  });

  it("of a claim that a StatefulSet made the program gets what it states, never the volume's name", () => {
    const { metadata, spec } = claim;
    const made = { metadata: { labels: metadata.labels }, spec: { ...spec, volumeName: "pvc-1" } };
    const after = handOver([entry("kube-controller-manager", "Update", made)], options);
    const [own, kept] = after;
    assert.deepEqual(own.fieldsV1, stated({ metadata: { labels: metadata.labels }, spec }));
    assert.deepEqual(kept.fieldsV1, stated({ spec: { volumeName: "pvc-1" } }));
  });

  it("what Helm 3 owns and nobody asked for is nobody's", () => {
    const made = { spec: { ...claim.spec, volumeMode: "Filesystem" } };
    const [own, ...others] = handOver([entry("helm", "Update", made)], options);
    assert.deepEqual(own.fieldsV1, stated({ spec: claim.spec }));
    assert.deepEqual(others, []);
  });

  it("a Deployment's rolling parameters become the program's, so that Recreate takes them away", () => {
    const wanted = { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "matomo" } };
    const [own] = handOver([], { ...options, wanted, asked: wanted });
    assert.deepEqual(own.fieldsV1, {
      "f:spec": { "f:strategy": { "f:type": {}, "f:rollingUpdate": {} } },
    });
  });

  it("people who edited by hand are told from Helm, the program and the cluster", () => {
    const managers = ["helm", "kubectl-edit", "kube-controller-manager", "cert-manager-ingresses"];
    const entries = managers.map((manager) => entry(manager, "Update", { spec: {} }));
    assert.deepEqual(handEditors(entries), ["kubectl-edit"]);
  });
});
