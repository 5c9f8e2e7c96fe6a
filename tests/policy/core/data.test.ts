/** What a View reads: programs mix texts and numbers, leave things out in several ways, and patch. */
import assert from "node:assert/strict";
import { NotKnown, readProperties, View } from "../../../policy/core/data";
import { UNKNOWN, unknownCheckingProxy } from "../support/proxy";

const WEB = "Deployment shop/web";

/** The properties as a rule gets them, of a whole object or of a patch. */
const object = (properties: object, patch = false) =>
  new View(readProperties(unknownCheckingProxy(properties)), WEB, "", patch);

/** The place of a value, under the key `value`. */
const place = (value: unknown, patch = false) => object({ value }, patch).at("value");

const READ = {
  isAbsent: (view: View) => view.isAbsent(),
  isEmpty: (view: View) => view.isEmpty(),
  text: (view: View) => view.text(),
  number: (view: View) => view.number(),
  bool: (view: View) => view.bool(),
  list: (view: View) => view.list().map((item) => item.text()),
  entries: (view: View) => view.entries().map(([key, item]) => [key, item.text()]),
};

const notKnown = (path: string, why: string) => (error: unknown) => {
  assert.ok(error instanceof NotKnown);
  assert.deepEqual([error.owner, error.path, error.why], [WEB, path, why]);
  return true;
};

describe("what a value reads as", () => {
  /** What every value reads as that is none of it. */
  const nothing = {
    isAbsent: false,
    isEmpty: false,
    text: undefined,
    number: undefined,
    bool: undefined,
    list: [],
    entries: [],
  };
  const absent = { isAbsent: true, isEmpty: true };
  const rows: [unknown, object][] = [
    [undefined, absent],
    [null, absent],
    [() => "a function", absent],
    ["", { text: "" }],
    ["  ", { text: "  " }],
    ["web", { text: "web" }],
    ["80", { text: "80", number: 80 }],
    [80, { text: "80", number: 80 }],
    [0, { text: "0", number: 0 }],
    ["0.5", { text: "0.5", number: 0.5 }],
    ["Infinity", { text: "Infinity" }],
    [true, { bool: true }],
    ["true", { text: "true", bool: true }],
    [false, { bool: false }],
    ["false", { text: "false", bool: false }],
    ["yes", { text: "yes" }],
    [[], { isEmpty: true }],
    [["a", 1, null], { list: ["a", "1", undefined] }],
    [{}, { isEmpty: true }],
    [
      { a: "b", c: 1 },
      {
        entries: [
          ["a", "b"],
          ["c", "1"],
        ],
      },
    ],
    // The SDK's own words are a program's texts like any other.
    ["__isSpecialProxy", { text: "__isSpecialProxy" }],
  ];
  for (const [value, expected] of rows) {
    it(JSON.stringify(value) ?? String(value), () => {
      const read = Object.entries(READ).map(([name, how]) => [name, how(place(value))]);
      assert.deepEqual(Object.fromEntries(read), { ...nothing, ...expected });
    });
  }

  it("the same where the SDK passes plain properties", () => {
    assert.deepEqual(readProperties({ a: ["b", { c: 1 }] }), { a: ["b", { c: 1 }] });
  });
});

describe("places", () => {
  const labels = { "app.kubernetes.io/name": "shop", tier_2: "x", "is-web": "y", "0": "z" };
  const view = object({ metadata: { labels }, ports: [{ port: 80 }, { port: 443 }] });

  it("have readable paths, exact where a key holds dots", () => {
    const paths = view
      .at("metadata", "labels")
      .entries()
      .map(([, label]) => label.path);
    assert.deepEqual(paths, [
      'metadata.labels["0"]',
      'metadata.labels["app.kubernetes.io/name"]',
      "metadata.labels.tier_2",
      "metadata.labels.is-web",
    ]);
    assert.equal(object({ "a.b": 1 }).at("a.b").path, '["a.b"]');
    assert.equal(view.at("ports").list()[1].at("port").path, "ports[1].port");
  });

  it("are absent below what is absent, or has no parts", () => {
    assert.ok(view.at("spec", "template", "spec").isAbsent());
    assert.ok(place("web").at("length").isAbsent());
    assert.ok(place({}).at("constructor").isAbsent());
  });

  it("know whether containers with images are below them", () => {
    const app = { name: "app", image: "app:1" };
    assert.ok(object({ spec: { template: { spec: { containers: [app] } } } }).holdsContainers());
    assert.ok(object({ steps: [{ run: 1 }, { containers: ["x", null, app] }] }).holdsContainers());
    assert.ok(!object({ containers: [{ name: "a ship's" }, "x", null] }).holdsContainers());
    assert.ok(!object({ containers: app }).holdsContainers());
    assert.ok(!object({ image: "app:1", items: [app, null] }).holdsContainers());
  });
});

describe("what is not known yet", () => {
  const sentinels = {
    boolean: "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
    number: "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
    string: "04da6b54-80e4-46f7-96ec-b56ff0331ba9",
    list: "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
    asset: "030794c1-ac77-496b-92df-f27374a8bd58",
    archive: "e48ece36-62e2-4504-bad9-02848725956a",
    object: "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
  };
  for (const [type, sentinel] of Object.entries(sentinels)) {
    it(`in place of a value of type ${type}, by the engine's mark`, () => {
      assert.ok(!place(sentinel).isKnown);
      assert.ok(!place([sentinel]).list()[0].isKnown);
    });
  }

  for (const [name, how] of Object.entries(READ)) {
    it(`ends ${name}, and names the place`, () => {
      assert.throws(() => how(place(UNKNOWN)), notKnown("value", "not known yet"));
    });
  }

  it("has parts that are not known either, told by its own place", () => {
    const below = place(UNKNOWN).at("spec", "replicas");
    assert.ok(!below.isKnown);
    assert.throws(() => below.number(), notKnown("value", "not known yet"));
  });

  it("is no trouble beside it, or around it", () => {
    const view = object({ spec: { replicas: UNKNOWN, paused: true } });
    assert.equal(view.at("spec", "paused").bool(), true);
    assert.equal(view.at("spec").isEmpty(), false);
    assert.deepEqual(
      view
        .at("spec")
        .entries()
        .map(([key]) => key),
      ["replicas", "paused"],
    );
  });

  it("is found at any depth", () => {
    assert.ok(place(UNKNOWN).hasUnknown());
    assert.ok(place({ a: [null, { b: UNKNOWN }] }).hasUnknown());
    assert.ok(!place({ a: [null, { b: "c" }] }).hasUnknown());
    assert.ok(!place(null).hasUnknown());
    assert.ok(place(null, true).hasUnknown());
  });

  it("says so where nobody expects it", () => {
    const error = new NotKnown(WEB, "spec.replicas", "not known yet");
    assert.equal(error.message, "Deployment shop/web: spec.replicas is not known yet");
  });
});

describe("a patch", () => {
  it("reads what it holds", () => {
    assert.equal(place("80", true).number(), 80);
    assert.ok(place("80", true).isKnown);
    assert.equal(
      object({ spec: { replicas: 2 } }, true)
        .at("spec", "replicas")
        .number(),
      2,
    );
  });

  it("does not know what it leaves out: the server has it", () => {
    for (const left of [
      place(undefined, true),
      object({ spec: {} }, true).at("spec", "replicas"),
    ]) {
      assert.ok(!left.isKnown);
      assert.throws(() => left.isAbsent(), notKnown(left.path, "not part of the patch"));
    }
  });

  it("knows that a whole object leaves something out", () => {
    assert.ok(place(undefined).isKnown);
    assert.ok(!place(UNKNOWN, true).isKnown);
  });
});
