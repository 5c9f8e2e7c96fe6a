/** The stack's objects by kind, namespace and label: what a selector picks, and what it may pick. */
import assert from "node:assert/strict";
import { Data, View } from "../../../policy/core/data";
import { KubeObject, RawResource } from "../../../policy/core/objects";
import { Selector } from "../../../policy/core/selectors";
import { Stack } from "../../../policy/core/stack";
import { change, COMPONENT, kube, service, workload } from "../support/objects";
import { UNKNOWN } from "../support/proxy";
import { proxied } from "../support/table";

const stackOf = (...resources: RawResource[]) =>
  new Stack(resources.map((raw) => new KubeObject(proxied(raw))));

const web = workload("Deployment", "web");
const cache = workload("Deployment", "cache");
const elsewhere = change(web, "metadata.namespace", "blog");
const LABELS = "spec.template.metadata.labels";

describe("a stack", () => {
  it("has its objects in one order, in whatever order they come", () => {
    const [a, b, c] = ["a", "b", "c"].map((name) => service(name));
    for (const order of [
      [a, b, c],
      [c, b, a],
      [b, c, a],
      [c, a, b],
    ]) {
      assert.deepEqual(
        stackOf(...order).objects.map(({ urn }) => urn),
        [a.urn, b.urn, c.urn],
      );
    }
  });

  it("finds built-in kinds only under their names", () => {
    const stack = stackOf(service("web"), kube("serving.knative.dev/v1", "Service", "blog", {}));
    assert.deepEqual(
      stack.all("Service").map((object) => object.name()),
      ["web"],
    );
    assert.deepEqual(stack.all("Pod"), []);
  });

  it("finds an object by its URN", () => {
    const stack = stackOf(web, cache);
    assert.equal(stack.withUrn(cache.urn)?.name(), "cache");
    assert.equal(stack.withUrn(service("web").urn), undefined);
  });

  it("knows the namespaces in which it makes pods", () => {
    assert.ok(stackOf(web).hasWorkloadsIn("shop"));
    assert.ok(
      !stackOf(web, change(service("web"), "metadata.namespace", "blog")).hasWorkloadsIn("blog"),
    );
    const anywhere = change(web, "metadata.namespace", UNKNOWN);
    assert.ok(stackOf(anywhere).hasWorkloadsIn("blog"));
  });
});

describe("what a selector picks", () => {
  const component = (name: string) => ({ matchLabels: { [COMPONENT]: name } });
  const picks = (selector: Data, ...resources: RawResource[]) => {
    const view = new View(selector, "PodDisruptionBudget shop/web");
    const { sure, open } = stackOf(...resources).selected(Selector.of(view), "shop");
    return {
      sure: sure.map(({ object }) => object.words),
      open: open.map(({ workload, unknown }) => [workload.object.words, unknown.path]),
    };
  };
  const patch = { ...workload("Deployment", "patch"), type: "kubernetes:apps/v1:DeploymentPatch" };

  const rows: [string, Data, RawResource[], string[], string[][]?][] = [
    ["the pods with its labels", component("web"), [web, cache], ["Deployment shop/web"]],
    ["no pod of another namespace", component("web"), [elsewhere], []],
    ["none where there is none", component("web"), [service("web")], []],
    [
      "all of its namespace by no labels",
      {},
      [web, cache, elsewhere],
      ["Deployment shop/cache", "Deployment shop/web"],
    ],
    [
      "perhaps a pod whose labels are not known",
      component("web"),
      [web, change(cache, LABELS, UNKNOWN)],
      ["Deployment shop/web"],
      [["Deployment shop/cache", LABELS]],
    ],
    [
      "perhaps a pod whose label is not known",
      component("web"),
      [change(cache, `${LABELS}["${COMPONENT}"]`, UNKNOWN)],
      [],
      [["Deployment shop/cache", `${LABELS}["${COMPONENT}"]`]],
    ],
    [
      "a pod with another label that is not known",
      component("web"),
      [change(web, `${LABELS}.checksum`, UNKNOWN)],
      ["Deployment shop/web"],
    ],
    [
      "perhaps a pod of which a patch leaves the labels out",
      component("web"),
      [change(patch, LABELS, undefined)],
      [],
      [["Deployment shop/patch", `${LABELS}["${COMPONENT}"]`]],
    ],
    [
      "perhaps a pod whose namespace is not known",
      component("web"),
      [change(web, "metadata.namespace", UNKNOWN)],
      [],
      [["Deployment web", "metadata.namespace"]],
    ],
    [
      "no pod with other labels, wherever it is",
      component("web"),
      [change(cache, "metadata.namespace", UNKNOWN)],
      [],
    ],
    [
      "no pod of another namespace, whatever its labels are",
      component("web"),
      [change(elsewhere, LABELS, UNKNOWN)],
      [],
    ],
  ];
  for (const [title, selector, resources, sure, open = []] of rows) {
    it(title, () => {
      const picked = picks(selector, ...resources);
      assert.deepEqual({ ...picked, sure: picked.sure.sort() }, { sure, open });
    });
  }

  it("is asked of the pods with its rarest label alone, so that a stack stays linear", () => {
    const inApp = (raw: RawResource) => change(raw, `${LABELS}.app`, "shop");
    const stack = stackOf(inApp(web), inApp(cache), workload("Job", "job"));
    for (const matchLabels of [
      { app: "shop", [COMPONENT]: "web" },
      { [COMPONENT]: "web", app: "shop" },
    ]) {
      const selector = Selector.of(new View({ matchLabels }, "PodDisruptionBudget shop/web"));
      const asked: string[] = [];
      selector.matches = ({ owner }) => asked.push(owner) > 0;
      stack.selected(selector, "shop");
      assert.deepEqual(asked, ["Deployment shop/web"]);
    }
  });
});
