/** Three values: what is not known yet matters only where the known parts leave the outcome open. */
import assert from "node:assert/strict";
import { NotKnown } from "../../../policy/core/data";
import { anyOf, attempt, everyOf, orElse } from "../../../policy/core/logic";

const open = (path: string) => (): boolean => {
  throw new NotKnown("Pod shop/web", path, "not known yet");
};
const yes = () => true;
const no = () => false;
const outcome = (read: () => boolean) => {
  const value = attempt(read);
  return value instanceof NotKnown ? value.path : value;
};

describe("three-valued logic", () => {
  const rows: [string, (() => boolean)[], boolean | string, boolean | string][] = [
    ["nothing", [], false, true],
    ["yes", [yes], true, true],
    ["no", [no], false, false],
    ["no, yes", [no, yes], true, false],
    ["open", [open("a")], "a", "a"],
    ["open, yes", [open("a"), yes], true, "a"],
    ["open, no", [open("a"), no], "a", false],
    ["yes, open", [yes, open("a")], true, "a"],
    ["two open", [open("a"), open("b")], "a", "a"],
  ];
  for (const [title, conditions, any, every] of rows) {
    it(`of ${title}: any ${any}, every ${every}`, () => {
      assert.equal(
        outcome(() => anyOf(conditions)),
        any,
      );
      assert.equal(
        outcome(() => everyOf(conditions)),
        every,
      );
    });
  }

  it("asks no more once it is decided", () => {
    const never = () => assert.fail("asked");
    assert.ok(anyOf([yes, never]));
    assert.ok(!everyOf([no, never]));
  });

  it("falls back for what is not known, and never for a bug", () => {
    const bug = (): boolean => {
      throw new TypeError("a bug");
    };
    assert.equal(orElse(open("a"), true), true);
    assert.equal(orElse(yes, false), true);
    for (const read of [() => orElse(bug, true), () => attempt(bug), () => anyOf([bug, yes])]) {
      assert.throws(read, TypeError);
    }
  });
});
