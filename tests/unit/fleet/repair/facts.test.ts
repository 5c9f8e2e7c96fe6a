/** Answers about volumes are waited for, and what was slow is no finding. */
import assert from "node:assert/strict";
import { within } from "../../../../fleet/repair/facts";
import { Failure } from "../../../../fleet/errors";

const WHAT = "what the cluster says";
const never = () => new Promise<string>(() => undefined);

describe("waiting for what is known of volumes", () => {
  it("gives the answer, or its error", async () => {
    assert.equal(await within(60, WHAT, Promise.resolve("well")), "well");
    const refused = new Failure("it is refused");
    await assert.rejects(within(60, WHAT, Promise.reject(refused)), refused);
  });

  for (const next of [undefined, "Use --wait 600"]) {
    it(`says that it was slow, and then: ${next ?? "again"}`, async () => {
      await assert.rejects(within(0.05, WHAT, never(), next), (error: Error) => {
        assert.ok(error instanceof Failure);
        assert.equal(
          error.message,
          "no answer in 0.05 s: what the cluster says. That is slow, and no finding: nothing was " +
            `touched. ${next ?? "Run the command again"}`,
        );
        return true;
      });
    });
  }
});
