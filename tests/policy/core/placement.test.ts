/** What the scheduler cannot but put on one node, and what only looks like it. */
import assert from "node:assert/strict";
import { NotKnown } from "../../../policy/core/data";
import { attempt } from "../../../policy/core/logic";
import { KubeObject, RawResource } from "../../../policy/core/objects";
import { pinnedTogether } from "../../../policy/core/placement";
import { Stack } from "../../../policy/core/stack";
import type { Tree } from "../support/edit";
import { change, COMPONENT, podSpec, workload } from "../support/objects";
import { UNKNOWN } from "../support/proxy";
import { proxied } from "../support/table";

const HOSTNAME = "kubernetes.io/hostname";
const LABELS = "spec.template.metadata.labels";

/** Two Deployments that share a volume, perhaps with a third, in a stack with others. */
function together(
  a: RawResource,
  b: RawResource,
  third: RawResource[] = [],
  others: RawResource[] = [],
): boolean | "open" {
  const sharing = [a, b, ...third];
  const stack = new Stack([...sharing, ...others].map((raw) => new KubeObject(proxied(raw))));
  const of = ({ urn }: RawResource) => stack.workloads.find(({ object }) => object.urn === urn)!;
  const pinned = attempt(() => pinnedTogether(of(a), of(b), sharing.map(of), stack));
  return pinned instanceof NotKnown ? "open" : pinned;
}

const pod = (name: string, spec: Tree = {}) => workload("Deployment", name, podSpec(spec));
const REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution";

describe("one node by its name", () => {
  const terms = (...nodeSelectorTerms: Tree[]) => ({
    affinity: { nodeAffinity: { [REQUIRED]: { nodeSelectorTerms } } },
  });
  const expression = (values: unknown[], key = HOSTNAME, operator = "In") => ({
    matchExpressions: [{ key, operator, values }],
  });
  const byName = (name: string) => ({
    matchFields: [{ key: "metadata.name", operator: "In", values: [name] }],
  });
  const zone = { key: "topology.kubernetes.io/zone", operator: "In", values: ["n1"] };

  const rows: [string, Tree, boolean | "open"][] = [
    ["nodeName", { nodeName: "n1" }, true],
    ["nodeName of another", { nodeName: "n2" }, false],
    ["the hostname's selector", { nodeSelector: { [HOSTNAME]: "n1" } }, true],
    ["the hostname's selector of another", { nodeSelector: { [HOSTNAME]: "n2" } }, false],
    ["another label's selector", { nodeSelector: { pool: "n1" } }, false],
    ["an affinity to the hostname", terms(expression(["n1"])), true],
    ["an affinity to another's hostname", terms(expression(["n2"])), false],
    ["an affinity to the node's name", terms(byName("n1")), true],
    ["an affinity to another's name", terms(byName("n2")), false],
    ["an affinity to one of two nodes", terms(expression(["n1", "n2"])), false],
    ["an affinity to any node but one", terms(expression(["n1"], HOSTNAME, "NotIn")), false],
    ["an affinity to a zone of that name", terms({ matchExpressions: [zone] }), false],
    [
      "an affinity that asks for more",
      terms({ matchExpressions: [zone, ...expression(["n1"]).matchExpressions] }),
      true,
    ],
    ["two affinities, which are alternatives", terms(byName("n1"), byName("n2")), false],
    ["an affinity that asks for nothing", terms({}), false],
    ["nothing", {}, false],
    ["a node not known yet", { nodeName: UNKNOWN }, "open"],
    ["a hostname not known yet", terms(expression([UNKNOWN])), "open"],
  ];
  for (const [title, spec, expected] of rows) {
    it(`${title}: ${expected}`, () => {
      assert.equal(together(pod("a", spec), pod("b", { nodeName: "n1" })), expected);
      assert.equal(together(pod("a", { nodeName: "n1" }), pod("b", spec)), expected);
    });
  }

  it("two pods that name none are not on one", () => {
    assert.equal(together(pod("a"), pod("b")), false);
    for (const none of [
      { nodeName: "" },
      { nodeSelector: { [HOSTNAME]: "" } },
      terms(byName("")),
    ]) {
      assert.equal(together(pod("a", none), pod("b", none)), false);
    }
  });

  it("an empty name leaves it to the hostname", () => {
    const named = { nodeName: "", nodeSelector: { [HOSTNAME]: "n1" } };
    assert.equal(together(pod("a", named), pod("b", { nodeName: "n1" })), true);
  });

  it("a preferred affinity is a wish", () => {
    const preferredDuringSchedulingIgnoredDuringExecution = [
      { weight: 100, preference: expression(["n1"]) },
    ];
    const wish = {
      affinity: { nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution } },
    };
    assert.equal(together(pod("a", wish), pod("b", { nodeName: "n1" })), false);
  });
});

describe("one node by following the other", () => {
  const follows = (labelSelector: unknown, more: Tree = {}) => ({
    affinity: { podAffinity: { [REQUIRED]: [{ topologyKey: HOSTNAME, labelSelector, ...more }] } },
  });
  const toB = { matchLabels: { [COMPONENT]: "b" } };
  const toApp = { matchLabels: { app: "shop" } };
  const inApp = (name: string) => change(pod(name), `${LABELS}.app`, "shop");
  const b = pod("b");

  const rows: [string, Tree, boolean][] = [
    ["on its node", follows(toB), true],
    ["in its zone", follows(toB, { topologyKey: "topology.kubernetes.io/zone" }), false],
    ["in its own namespace, by name", follows(toB, { namespaces: ["shop"] }), true],
    ["in another namespace", follows(toB, { namespaces: ["blog"] }), false],
    ["there or in another namespace", follows(toB, { namespaces: ["shop", "blog"] }), false],
    ["in every namespace", follows(toB, { namespaceSelector: {} }), false],
    ["what no labels are given for is nothing", follows(undefined), false],
    ["what no pod has", follows({ matchLabels: { [COMPONENT]: "c" } }), false],
  ];
  for (const [title, spec, expected] of rows) {
    it(`${title}: ${expected}`, () => {
      assert.equal(together(pod("a", spec), b), expected);
      assert.equal(together(b, pod("a", spec)), expected);
    });
  }

  it("one of two required affinities is enough, since both hold", () => {
    const { affinity } = follows(toB);
    affinity.podAffinity[REQUIRED].unshift({ topologyKey: "zone", labelSelector: toB });
    assert.equal(together(pod("a", { affinity }), b), true);
  });

  it("a selection of all that share the volume is on one node", () => {
    const a = pod("a", follows(toApp));
    assert.equal(together(a, inApp("b"), [inApp("c")]), true);
  });

  it("a selection of another that shares it is not the one asked about", () => {
    const a = pod("a", follows(toApp));
    assert.equal(together(a, b, [inApp("c")]), false);
  });

  it("a selection that holds a stranger may follow it elsewhere", () => {
    const a = pod("a", follows(toApp));
    assert.equal(together(a, inApp("b"), [], [inApp("c")]), false);
  });

  it("every pod of the namespace may be a stranger", () => {
    assert.equal(together(pod("a", follows({})), b), true);
    assert.equal(together(pod("a", follows({})), b, [], [pod("c")]), false);
  });

  it("a pod that may be selected leaves it open", () => {
    const a = pod("a", follows(toApp));
    const may = change(pod("c"), `${LABELS}.app`, UNKNOWN);
    assert.equal(together(a, inApp("b"), [], [may]), "open");
    assert.equal(together(pod("a", follows(UNKNOWN)), b), "open");
  });

  it("anti-affinity keeps away", () => {
    const { podAffinity } = follows(toB).affinity;
    assert.equal(together(pod("a", { affinity: { podAntiAffinity: podAffinity } }), b), false);
  });
});
