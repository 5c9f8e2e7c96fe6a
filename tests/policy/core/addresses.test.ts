/** Blocks of addresses, and how much of the world they are. */
import assert from "node:assert/strict";
import { BlockList } from "node:net";
import * as fc from "fast-check";
import { Range, rangeOf, reachOf, without } from "../../../policy/core/addresses";

const ranges = (...cidrs: string[]) => cidrs.map((cidr) => rangeOf(cidr)!);
const size = ({ first, end }: Range) => end - first;

describe("a block of addresses", () => {
  const sizes: [string, bigint | undefined][] = [
    ["0.0.0.0/0", 1n << 32n],
    ["10.1.2.3/8", 1n << 24n],
    ["10.1.2.3/32", 1n],
    ["::/0", 1n << 128n],
    ["2001:db8::1/32", 1n << 96n],
    ["::ffff:1.2.3.4/128", 1n],
    ["10.0.0.0", undefined],
    ["10.0.0.0/", undefined],
    ["10.0.0/8", undefined],
    ["any/0", undefined],
    ["10.0.0.0/x", undefined],
    ["", undefined],
  ];
  for (const [cidr, expected] of sizes) {
    it(`${cidr || "nothing"} is ${expected ?? "none"}`, () => {
      const range = rangeOf(cidr);
      assert.equal(range && size(range), expected);
    });
  }

  it("starts where its prefix does", () => {
    assert.deepEqual(rangeOf("10.1.2.3/8"), rangeOf("10.0.0.0/8"));
    assert.deepEqual(rangeOf("2001:db8::1/32"), rangeOf("2001:db8::/32"));
    assert.deepEqual(rangeOf("2001:0db8:0:0:0:0:0:0/32"), rangeOf("2001:db8::/32"));
  });

  it("holds the same addresses as Node's own list", () => {
    const address = fc.oneof(fc.ipV4(), fc.ipV6());
    const block = fc
      .tuple(address, fc.nat(32))
      .map(([of, length]): [string, number] => [of, length]);
    fc.assert(
      fc.property(block, address, ([of, length], one) => {
        const family = (text: string) => (text.includes(":") ? "ipv6" : "ipv4");
        const list = new BlockList();
        list.addSubnet(of, length, family(of));
        const point = rangeOf(`${one}/128`)!;
        const range = rangeOf(`${of}/${length}`)!;
        const inside = range.first <= point.first && point.first < range.end;
        assert.equal(inside, family(of) === family(one) && list.check(one, family(one)));
      }),
      { numRuns: 500, seed: 7 },
    );
  });
});

describe("what is left of a block", () => {
  const left = (cidr: string, ...holes: string[]) =>
    without(rangeOf(cidr)!, ranges(...holes))
      .map(size)
      .reduce((sum, one) => sum + (one > 0n ? one : 0n), 0n);
  const rows: [string, string[], bigint][] = [
    ["10.0.0.0/8", [], 1n << 24n],
    ["10.0.0.0/8", ["10.0.0.0/8"], 0n],
    ["10.0.0.0/8", ["10.0.0.0/9"], 1n << 23n],
    ["10.0.0.0/8", ["10.128.0.0/9"], 1n << 23n],
    ["10.0.0.0/8", ["10.64.0.0/10"], 3n << 22n],
    ["10.0.0.0/8", ["10.64.0.0/10", "10.0.0.0/10"], 1n << 23n],
    ["10.0.0.0/8", ["10.0.0.0/9", "10.0.0.0/10"], 1n << 23n],
    ["10.0.0.0/8", ["11.0.0.0/8"], 1n << 24n],
    ["10.0.0.0/8", ["9.0.0.0/8"], 1n << 24n],
  ];
  for (const [cidr, holes, expected] of rows) {
    it(`${cidr} without ${holes.join(" and ") || "nothing"}`, () =>
      assert.equal(left(cidr, ...holes), expected));
  }
});

describe("the reach of blocks", () => {
  const rows: [string[], string | undefined][] = [
    [["0.0.0.0/0"], "any"],
    [["0.0.0.0/1", "128.0.0.0/1"], "any"],
    [["128.0.0.0/1", "0.0.0.0/1", "10.0.0.0/8"], "any"],
    [["::/0"], "any"],
    [["2000::/3"], "any"],
    [["0.0.0.0/1"], undefined],
    [["0.0.0.0/1", "0.0.0.0/1", "0.0.0.0/2"], undefined],
    [["0.0.0.0/1", "128.0.0.0/8"], "nearly any"],
    [["0.0.0.0/0", "2000::/4"], "any"],
    [["2000::/4"], undefined],
    [["2000::/4", "3000::/16"], "nearly any"],
    [["8000::/1"], undefined],
    [["10.0.0.0/8"], undefined],
    [[], undefined],
  ];
  for (const [cidrs, expected] of rows) {
    it(`${cidrs.join(" and ") || "nothing"}: ${expected ?? "less than half"}`, () =>
      assert.equal(reachOf(ranges(...cidrs)), expected));
  }
});
