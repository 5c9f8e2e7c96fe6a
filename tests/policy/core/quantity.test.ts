/** Quantities are exact, in every notation that Kubernetes has. */
import assert from "node:assert/strict";
import { parseBytes, parseQuantity, scaled } from "../../../policy/core/quantity";

describe("quantities", () => {
  const equal: [string, string][] = [
    ["1Gi", "1024Mi"],
    ["1024Ki", "1Mi"],
    ["1Ti", "1024Gi"],
    ["1Pi", "1024Ti"],
    ["1Ei", "1024Pi"],
    ["1", "1000m"],
    ["0.5", "500m"],
    [".5", "500m"],
    ["5.", "5"],
    ["1e3", "1k"],
    ["1E3", "1000"],
    ["1e10", "10G"],
    ["1e-3", "1m"],
    ["1M", "1000k"],
    ["1G", "1000M"],
    ["1T", "1000G"],
    ["1P", "1000T"],
    ["1E", "1000P"],
    ["1u", "1000n"],
    ["1000u", "1m"],
    ["+1", "1"],
    ["0.1Gi", "107374182.4"],
    ["0.0000000001", "1n"],
  ];
  for (const [a, b] of equal) {
    it(`${a} is ${b}`, () => assert.equal(parseQuantity(a), parseQuantity(b)));
  }

  it("are ordered", () => {
    assert.ok(parseQuantity("1Gi")! > parseQuantity("1G")!);
    assert.ok(parseQuantity("-1")! < 0n);
  });

  for (const text of ["", "lots", "1GiB", "1 Gi", "Mi", ".", "1ee3", "0x10", "1g", "--1"]) {
    it(`"${text}" is none`, () => assert.equal(parseQuantity(text), undefined));
  }

  it("nothing is none", () => assert.equal(parseQuantity(undefined), undefined));

  it("as bytes", () => {
    assert.equal(parseBytes("1Ki"), 1024n);
    assert.equal(parseBytes("none"), undefined);
  });

  const counts: [string, number, number | undefined][] = [
    ["25%", 1, 1],
    ["25%", 4, 1],
    ["26%", 4, 2],
    ["0%", 9, 0],
    ["3", 9, 3],
    ["-1", 9, undefined],
    ["1.5", 9, undefined],
    ["10", 9, 10],
    ["x%", 9, undefined],
    ["x5%", 9, undefined],
    ["5%x", 9, undefined],
    ["", 9, undefined],
  ];
  for (const [value, scale, count] of counts) {
    it(`${value} of ${scale} is ${count}`, () => assert.equal(scaled(value, scale), count));
  }
});
