/** How tests wait: what a failed wait says, and what PATIENCE may be. */
import assert from "node:assert/strict";
import { consistently, eventually, milliseconds, patience, readPatience, within } from "../waits";

describe("patience", () => {
  for (const [text, factor] of [
    [undefined, 1],
    ["", 1],
    ["3", 3],
    ["0.5", 0.5],
  ] as const) {
    it(`${JSON.stringify(text) ?? "none"}: ${factor}`, () => {
      assert.equal(readPatience(text), factor);
    });
  }

  for (const text of ["0", "-1", "x", "NaN", "Infinity", " "]) {
    it(`${JSON.stringify(text)}: refused`, () => {
      assert.throws(() => readPatience(text), /PATIENCE is ".*": it has to be a number above 0/);
    });
  }

  it("stretches every wait", () => {
    assert.equal(milliseconds("requestAnswered"), Math.ceil(60 * patience) * 1000);
    assert.equal(within("requestAnswered"), `--timeout=${Math.ceil(60 * patience)}s`);
  });
});

describe("eventually", () => {
  it("gives what the condition gives, though it threw and said no before", async () => {
    let looks = 0;
    const found = await eventually("the third look", () => {
      if (++looks === 1) throw new Error("connection refused");
      return looks === 3 && "found";
    });
    assert.deepEqual([found, looks], ["found", 3]);
  });

  it("keeps what a look throws, and tells it once the time is over", async () => {
    const refused = new Error("connection refused");
    let looks = 0;
    const waiting = eventually(
      "an answer",
      () => Promise.reject((looks++, refused)),
      undefined,
      250,
    );
    await assert.rejects(waiting, {
      message: "not within 0.25 s: an answer; the last look: connection refused",
      cause: refused,
    });
    assert.ok(looks > 1, "it was told at once");
  });

  it("tells no error that is not the last look's", async () => {
    let looks = 0;
    const look = () => {
      if (++looks === 1) throw new Error("connection refused");
      return false;
    };
    await assert.rejects(eventually("an answer", look, "controllerActs", 250), {
      message: "not within 0.25 s: an answer",
    });
  });
});

describe("consistently", () => {
  it("looks until the time is over, once at least", async () => {
    const started = Date.now();
    let looks = 0;
    await consistently("nothing", () => ++looks > 0, 0.3);
    assert.ok(Date.now() - started >= 300);
    looks = 0;
    await consistently("nothing", async () => ++looks > 0, 0);
    assert.equal(looks, 1);
  });

  it("fails when it stops to hold, and says after how long", async () => {
    let looks = 0;
    const waiting = consistently("nothing", () => ++looks < 3, 600);
    await assert.rejects(waiting, /^Error: no longer, after \d+\.\d s: nothing$/);
    assert.equal(looks, 3);
  });

  it("takes a look that throws for one that does not hold", async () => {
    const gone = new Error("connection refused");
    const waiting = consistently("nothing", () => Promise.reject(gone), 600);
    await assert.rejects(waiting, (error: Error) => {
      assert.match(error.message, /^no longer, after \d+\.\d s: nothing: connection refused$/);
      assert.equal(error.cause, gone);
      return true;
    });
  });
});
