/** Work on several stacks: side by side, and none stops another. */
import assert from "node:assert/strict";
import { Interrupted, UsageError } from "../../../fleet/errors";
import type { Fleet } from "../../../fleet/fleet";
import { assertSomeDone, runStacks } from "../../../fleet/run";
import type { Stack } from "../../../fleet/stacks";

const stacks = ["liberty", "yonks", "personal"].map((name) => ({ name }) as Stack);

const fleetOf = (parallel: number, interrupted = new AbortController().signal): Fleet =>
  ({ parallel, interrupted, output: { redraws: false } }) as unknown as Fleet;

describe("work on several stacks", () => {
  it("overlaps as far as it may, in the order of the stacks", async () => {
    const most = async (parallel: number) => {
      let [running, highest] = [0, 0];
      // Nobody ends before as many have begun as may run at once.
      let release: () => void;
      const full = new Promise<void>((resolve) => (release = resolve));
      const outcomes = await runStacks(fleetOf(parallel), stacks, async ({ name }) => {
        highest = Math.max(highest, ++running);
        if (running === parallel) release();
        await full;
        running--;
        return name;
      });
      assert.deepEqual(
        outcomes.map(({ value }) => value),
        ["liberty", "yonks", "personal"],
      );
      return highest;
    };
    for (const parallel of [1, 2, 3]) assert.equal(await most(parallel), parallel);
  });

  it("goes on where one fails", async () => {
    const outcomes = await runStacks(fleetOf(1), stacks, async ({ name }) => {
      if (name === "liberty") throw new Error("no cluster");
      return name;
    });
    const [liberty, ...others] = outcomes;
    assert.equal((liberty.error as Error).message, "no cluster");
    assert.deepEqual(
      others.map(({ value }) => value),
      ["yonks", "personal"],
    );
    assertSomeDone(outcomes);
  });

  it("begins none any more once it is interrupted, and what is done is kept", async () => {
    const interrupt = new AbortController();
    const outcomes = await runStacks(fleetOf(1, interrupt.signal), stacks, async ({ name }) => {
      if (name === "yonks") {
        interrupt.abort(new Interrupted());
        interrupt.signal.throwIfAborted();
      }
      return name;
    });
    assert.deepEqual(
      outcomes.map(({ error }) => error instanceof Interrupted),
      [false, true, true],
    );
    assertSomeDone(outcomes);
    assert.throws(() => assertSomeDone(outcomes.slice(1)), Interrupted);
  });

  it("that was refused everywhere is one refusal", async () => {
    const outcomes = await runStacks(fleetOf(3), stacks, async ({ name }) => {
      throw new UsageError(`not ${name}`);
    });
    assert.throws(() => assertSomeDone(outcomes), {
      message: "liberty: not liberty\nyonks: not yonks\npersonal: not personal",
    });
  });
});
