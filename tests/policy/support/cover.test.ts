/** The rows of the program's settings hold what they promise to. */
import assert from "node:assert/strict";
import * as fc from "fast-check";
import { cover } from "./cover";

describe("a covering array", () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 3, maxLength: 6 });

  it("has each combination of every three factors in some row", () => {
    fc.assert(
      fc.property(sizes, (sizes) => {
        const choices = sizes.map((size) => [...Array(size).keys()]);
        const rows = cover(Object.fromEntries(choices.map((of, f) => [`f${f}`, of])), 3);
        for (let a = 0; a < sizes.length; a++) {
          for (let b = a + 1; b < sizes.length; b++) {
            for (let c = b + 1; c < sizes.length; c++) {
              const met = new Set(rows.map((row) => [a, b, c].map((f) => row[`f${f}`]).join()));
              assert.equal(met.size, sizes[a] * sizes[b] * sizes[c]);
            }
          }
        }
      }),
      { numRuns: 30, seed: 7 },
    );
  });

  it("takes far fewer rows than there are combinations", () => {
    const factors = Object.fromEntries([..."abcdefgh"].map((key) => [key, [1, 2, 3]]));
    assert.ok(cover(factors, 2).length < 30);
  });
});
