/** Which object a resource is: by apiVersion and kind where it states them, else by its type. */
import assert from "node:assert/strict";
import { NotKnown } from "../../../policy/core/data";
import { Kind, KubeObject } from "../../../policy/core/objects";
import { kube, resource } from "../support/objects";
import { UNKNOWN } from "../support/proxy";
import { proxied } from "../support/table";

const object = (raw: ReturnType<typeof resource>) => new KubeObject(proxied(raw));

const SERVED: [string, Kind[]][] = [
  [
    "v1",
    [
      ...(["Pod", "Service", "ConfigMap", "Namespace", "ServiceAccount", "PodTemplate"] as const),
      ...(["ReplicationController", "PersistentVolume", "PersistentVolumeClaim"] as const),
    ],
  ],
  ["apps/v1", ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ControllerRevision"]],
  ["apps/v1beta1", ["Deployment", "StatefulSet"]],
  ["extensions/v1beta1", ["Deployment", "DaemonSet", "ReplicaSet", "NetworkPolicy"]],
  ["batch/v1", ["Job", "CronJob"]],
  ["batch/v1beta1", ["CronJob"]],
  ["networking.k8s.io/v1", ["NetworkPolicy"]],
  ["policy/v1", ["PodDisruptionBudget"]],
  ["policy/v1beta1", ["PodDisruptionBudget"]],
  ["autoscaling/v2", ["HorizontalPodAutoscaler"]],
  ["keda.sh/v1alpha1", ["ScaledObject"]],
  ["rbac.authorization.k8s.io/v1", ["RoleBinding", "ClusterRoleBinding"]],
];

describe("kinds", () => {
  for (const [apiVersion, kinds] of SERVED) {
    for (const kind of kinds) {
      it(`${kind} of ${apiVersion} is the built-in one`, () => {
        assert.ok(object(kube(apiVersion, kind, "web", {})).is(kind));
      });
    }
  }

  const kinds = [...new Set(SERVED.flatMap(([, of]) => of))];
  it("of another group are somebody else's, whatever their names are", () => {
    const own = kinds.filter((kind) => object(kube("example.com/v1", kind, "web", {})).is(kind));
    assert.deepEqual(own, []);
    assert.ok(!object(kube("serving.knative.dev/v1", "Service", "web", {})).is("Service"));
    assert.ok(!object(kube("extensions/v1beta1", "StatefulSet", "db", {})).is("StatefulSet"));
  });

  it("are one each", () => {
    const web = object(kube("apps/v1", "Deployment", "web", {}));
    assert.deepEqual(
      kinds.filter((kind) => web.is(kind)),
      ["Deployment"],
    );
    assert.ok(web.is("StatefulSet", "Deployment"));
    assert.ok(!web.is());
  });

  it("are none of another provider's", () => {
    const props = { apiVersion: "v1", kind: "Pod" };
    assert.ok(!object(resource("podman:index:Pod", "web", props)).is("Pod"));
  });

  const named: [string, object, [string, string, string]][] = [
    // The type alone.
    ["kubernetes:apps/v1:Deployment", {}, ["apps", "v1", "Deployment"]],
    ["kubernetes:core/v1:Service", {}, ["", "v1", "Service"]],
    ["kubernetes:apps/v1:DeploymentPatch", {}, ["apps", "v1", "Deployment"]],
    ["kubernetes:core/v1:ServicePatch", {}, ["", "v1", "Service"]],
    ["kubernetes:hr.core/v1:PatchPanel", {}, ["hr.core", "v1", "PatchPanel"]],
    ["Site", {}, ["", "", "Site"]],
    // What the object states decides.
    [
      "kubernetes:apiextensions.k8s.io:CustomResource",
      { apiVersion: "keda.sh/v1alpha1", kind: "ScaledObject" },
      ["keda.sh", "v1alpha1", "ScaledObject"],
    ],
    // Not known yet, the type decides.
    [
      "kubernetes:policy/v1:PodDisruptionBudget",
      { apiVersion: UNKNOWN, kind: UNKNOWN },
      ["policy", "v1", "PodDisruptionBudget"],
    ],
  ];
  for (const [type, props, expected] of named) {
    it(`${type} ${JSON.stringify(props)} is ${expected.join(" ")}`, () => {
      const { group, version, kind } = object(resource(type, "web", props));
      assert.deepEqual([group, version, kind], expected);
    });
  }
});

describe("names", () => {
  const TYPE = "kubernetes:apps/v1:Deployment";
  const called = (metadata: unknown, more = {}) =>
    object(resource(TYPE, "pulumi-name", { metadata }, more));
  const inBlog = { provider: { props: { namespace: "blog" } } };

  it("are the object's own", () => {
    const web = called({ name: "web", namespace: "shop" }, inBlog);
    assert.equal(web.key(), "shop/web");
    assert.equal(web.words, "Deployment shop/web");
  });

  it("are the resource's, and the default namespace, where the object has none", () => {
    const web = called(undefined);
    assert.equal(web.key(), "default/pulumi-name");
    assert.equal(web.words, "Deployment pulumi-name");
    assert.equal(called({ namespace: "" }).namespace(), "default");
  });

  it("are in the provider's namespace where the object states none", () => {
    assert.equal(called({ name: "web" }, inBlog).key(), "blog/web");
  });

  it("stand beside the chart of a Helm Release", () => {
    const release = resource("kubernetes:helm.sh/v3:Release", "blog", { namespace: "web" });
    assert.equal(object(release).key(), "web/blog");
    assert.equal(object(release).words, "Release web/blog");
    const named = resource("kubernetes:helm.sh/v3:Release", "blog", { name: "wordpress" });
    assert.equal(object(named).key(), "default/wordpress");
  });

  it("end a judgement where they are not known yet, and are left out of its words", () => {
    const web = called({ name: UNKNOWN, namespace: UNKNOWN });
    assert.throws(() => web.name(), NotKnown);
    assert.throws(() => web.namespace(), NotKnown);
    assert.equal(web.words, "Deployment pulumi-name");
    const elsewhere = called({}, { provider: { props: { namespace: UNKNOWN } } });
    assert.throws(
      () => elsewhere.namespace(),
      (error: NotKnown) => error.path === "provider.namespace" && error.owner === elsewhere.words,
    );
  });

  it("are known of a patch, which must state them; the rest stands on the server", () => {
    const raw = resource(`${TYPE}Patch`, "patch", { metadata: { name: "web" }, spec: {} });
    assert.equal(object(raw).key(), "default/web");
    assert.ok(!object(raw).view.at("spec", "replicas").isKnown);
    assert.ok(object({ ...raw, type: TYPE }).view.at("spec", "replicas").isKnown);
  });
});

describe("what Pulumi knows of a resource", () => {
  const claim = (more = {}) => object(resource("kubernetes:core/v1:Secret", "s", {}, more));

  it("is whether it is protected", () => {
    assert.equal(claim({ opts: { protect: true } }).isProtected, true);
    assert.equal(claim({ opts: {} }).isProtected, false);
    assert.equal(claim().isProtected, false);
  });

  it("is what the values of its spec come from", () => {
    const disk = resource("digitalocean:index/volume:Volume", "disk", {});
    const of = [{ urn: disk.urn }];
    assert.deepEqual(claim({ propertyDependencies: { spec: of } }).specFrom, [disk.urn]);
    assert.deepEqual(claim({ propertyDependencies: { metadata: of } }).specFrom, []);
    assert.deepEqual(claim().specFrom, []);
  });
});
