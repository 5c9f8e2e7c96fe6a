import assert from "node:assert/strict";
import { execa } from "execa";

/** Three drawn of ten, in a process of its own. */
async function draw(env: Record<string, string>): Promise<string[]> {
  const script =
    'import { drawn, drawnBy } from "./tests/soak"; ' +
    "console.log([...drawn([0,1,2,3,4,5,6,7,8,9], 3), drawnBy].join());";
  const { stdout } = await execa("tsx", ["--eval", script], { env, preferLocal: true });
  return stdout.split(",");
}

describe("cases that are drawn", () => {
  it("are the same for one seed, in order, and others for another", async () => {
    const runs = ["1", "1", "2", "3", "4"].map((SEED) => draw({ SEED, SOAK: "" }));
    const [first, second, ...others] = await Promise.all(runs);
    assert.deepEqual(first, second);
    assert.equal(first.length, 4);
    assert.equal(first.at(-1), "SEED=1");
    assert.deepEqual(first.slice(0, 3), [...first.slice(0, 3)].sort());
    assert.ok(others.some((other) => other.slice(0, 3).join() !== first.slice(0, 3).join()));
  });

  it("are all of them in the long form", async () => {
    assert.deepEqual(await draw({ SOAK: "1", SEED: "1" }), [..."0123456789", "all"]);
  });
});
