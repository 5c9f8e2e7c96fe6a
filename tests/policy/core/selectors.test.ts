/** Label selectors as the API server evaluates them, on labels that are known or not. */
import assert from "node:assert/strict";
import { NotKnown, readProperties, View } from "../../../policy/core/data";
import { attempt } from "../../../policy/core/logic";
import { hasText, Selector, selectsBy } from "../../../policy/core/selectors";
import { UNKNOWN } from "../support/proxy";

const view = (value: unknown) => new View(readProperties(value), "Service shop/web");
const outcome = (read: () => boolean) => {
  const value = attempt(read);
  return value instanceof NotKnown ? "open" : value;
};
const matches = (selector: object, labels: unknown) =>
  outcome(() => Selector.of(view(selector)).matches(view(labels)));
const by = (operator: unknown, values?: unknown, key: unknown = "tier") => ({
  matchExpressions: [{ key, operator, values }],
});

type Outcome = boolean | "open";

describe("a label selector", () => {
  const web = { app: "shop", tier: "web" };
  const rows: [object, unknown, Outcome][] = [
    [{}, web, true],
    [{}, undefined, true],
    [{ matchLabels: { tier: "web" } }, web, true],
    [{ matchLabels: { tier: "db" } }, web, false],
    [{ matchLabels: { tier: "web", app: "shop" } }, web, true],
    [{ matchLabels: { tier: "web", app: "blog" } }, web, false],
    [{ matchLabels: { tier: "web" } }, undefined, false],
    [{ matchLabels: { zone: "1" } }, { zone: 1 }, true],
    [by("In", ["web", "db"]), web, true],
    [by("In", ["db", "web"]), web, true],
    [by("In", ["db"]), web, false],
    [by("In", []), web, false],
    [by("In", ["web"]), { app: "shop" }, false],
    [by("In"), { app: "shop" }, false],
    [by("NotIn", ["db"]), web, true],
    [by("NotIn", ["db", "web"]), web, false],
    [by("NotIn", ["web"]), { app: "shop" }, true],
    [by("Exists"), web, true],
    [by("Exists"), { app: "shop" }, false],
    [by("DoesNotExist"), web, false],
    [by("DoesNotExist"), { app: "shop" }, true],
    [by("Like", ["web"]), web, false],
    [by(undefined), web, false],
    // All requirements hold, or none does.
    [{ ...by("In", ["web"]), matchLabels: { app: "shop" } }, web, true],
    [{ ...by("In", ["web"]), matchLabels: { app: "blog" } }, web, false],
    [{ ...by("In", ["db"]), matchLabels: { app: "shop" } }, web, false],
    [
      {
        matchExpressions: [...by("Exists").matchExpressions, ...by("In", ["db"]).matchExpressions],
      },
      web,
      false,
    ],
    // Not known yet: open, unless something else decides.
    [{ matchLabels: UNKNOWN }, web, "open"],
    [{ matchLabels: { tier: UNKNOWN } }, web, "open"],
    [{ matchLabels: { tier: "web" } }, { tier: UNKNOWN }, "open"],
    [{ matchLabels: { tier: "web" } }, UNKNOWN, "open"],
    [{ matchLabels: { tier: UNKNOWN, app: "blog" } }, web, false],
    [{ matchLabels: { tier: "web", app: "shop" } }, { tier: "db", app: UNKNOWN }, false],
    [{ matchExpressions: UNKNOWN }, web, "open"],
    [{ matchExpressions: UNKNOWN, matchLabels: { app: "blog" } }, web, false],
    [{ ...by("In", ["db"]), matchLabels: UNKNOWN }, web, false],
    [by(UNKNOWN, ["web"]), web, "open"],
    [by("In", UNKNOWN), web, "open"],
    [by("In", ["web"], UNKNOWN), web, "open"],
    [by("In", [UNKNOWN, "web"]), web, true],
    [by("In", [UNKNOWN, "db"]), web, "open"],
    [by("In", [UNKNOWN]), { app: "shop" }, false],
    [by("NotIn", [UNKNOWN, "web"]), web, false],
    [by("Exists"), { tier: UNKNOWN }, "open"],
  ];
  for (const [selector, labels, expected] of rows) {
    it(`${JSON.stringify(selector)} on ${JSON.stringify(labels)}: ${expected}`, () => {
      assert.equal(matches(selector, labels), expected);
    });
  }

  it("of a Service is a plain map", () => {
    const selects = (map: unknown) => outcome(() => Selector.ofMap(view(map)).matches(view(web)));
    assert.equal(selects({ tier: "web", app: "shop" }), true);
    assert.equal(selects({ tier: "web", app: "blog" }), false);
    assert.equal(selects(UNKNOWN), "open");
    assert.deepEqual([...Selector.ofMap(view({ tier: "web" })).wanted], [["tier", ["web"]]]);
  });
});

describe("the labels that a selector wants", () => {
  const rows: [object, [string, string[]][]][] = [
    [{}, []],
    [
      { ...by("In", ["web", "db"]), matchLabels: { app: "shop" } },
      [
        ["app", ["shop"]],
        ["tier", ["web", "db"]],
      ],
    ],
    ...["NotIn", "Exists", "DoesNotExist", "Like"].map((operator): [object, []] => [
      by(operator, ["web"]),
      [],
    ]),
    // As far as they are known.
    [{ matchLabels: UNKNOWN, matchExpressions: UNKNOWN }, []],
    [{ matchLabels: { app: "shop", tier: UNKNOWN } }, [["app", ["shop"]]]],
    [by("In", UNKNOWN), []],
    [by("In", ["web", UNKNOWN]), []],
    [by(UNKNOWN, ["web"]), []],
    [by("In", ["web"], UNKNOWN), []],
  ];
  for (const [selector, expected] of rows) {
    it(JSON.stringify(selector), () => {
      assert.deepEqual([...Selector.of(view(selector)).wanted], expected);
    });
  }
});

describe("a selector picks by a label", () => {
  const rows: [object | undefined, Outcome][] = [
    [{ matchLabels: { tier: "web" } }, true],
    [{ matchLabels: { tier: "" } }, false],
    [{ matchLabels: { app: "shop" } }, false],
    [by("In", ["web", "db"]), true],
    [by("In", []), false],
    [by("In", ["web"], "app"), false],
    [by("NotIn", ["web"]), false],
    [by("Exists"), false],
    [undefined, false],
    [{ matchLabels: { tier: UNKNOWN } }, "open"],
    [{ matchLabels: { tier: UNKNOWN }, ...by("In", ["web"]) }, true],
    [by("In", UNKNOWN), "open"],
  ];
  for (const [selector, expected] of rows) {
    it(`${JSON.stringify(selector)}: ${expected}`, () => {
      assert.equal(
        outcome(() => selectsBy(view(selector), "tier")),
        expected,
      );
    });
  }

  it("by a value that is one", () => {
    assert.ok(hasText(view("web")));
    assert.ok(hasText(view(0)));
    assert.ok(!hasText(view("")));
    assert.ok(!hasText(view(undefined)));
  });
});
