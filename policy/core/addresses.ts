/** How many of the world's addresses some blocks are, each less what it leaves out. */
import { isIP } from "node:net";

/** From its first address to the one after its last; IPv6 stands behind IPv4 on one line. */
export interface Range {
  first: bigint;
  end: bigint;
}

const V6 = 1n << 128n;

/** The addresses of a CIDR, or undefined when it is none. */
export function rangeOf(cidr = ""): Range | undefined {
  const [address, length] = cidr.split("/");
  const family = isIP(address);
  if (family === 0 || !/^\d+$/.test(length)) {
    return undefined;
  }
  const size = 1n << BigInt(Math.max(0, (family === 4 ? 32 : 128) - Number(length)));
  const value = family === 4 ? numberOf(address.split("."), 10, 8n) : V6 + numberOf6(address);
  const first = value - (value % size);
  return { first, end: first + size };
}

const numberOf = (groups: string[], base: number, bits: bigint) =>
  groups.reduce((value, group) => (value << bits) | BigInt(parseInt(group, base)), 0n);

function numberOf6(address: string): bigint {
  // A URL's host has the one short form, without an IPv4 address at its end.
  const [left, right] = new URL(`http://[${address}]`).hostname.slice(1, -1).split("::");
  const [before, after] = [left, right].map((half) => (half ? half.split(":") : []));
  const zeros = Array<string>(8 - before.length - after.length).fill("0");
  return numberOf([...before, ...zeros, ...after], 16, 16n);
}

const max = (a: bigint, b: bigint) => (a > b ? a : b);
const min = (a: bigint, b: bigint) => (a < b ? a : b);
const inOrder = (ranges: Range[]) => [...ranges].sort((a, b) => (a.first < b.first ? -1 : 1));

/** What is left of a range where others are taken out of it. */
export function without(range: Range, holes: Range[]): Range[] {
  const left: Range[] = [];
  let at = range.first;
  for (const hole of inOrder(holes)) {
    left.push({ first: at, end: min(hole.first, range.end) });
    at = max(at, hole.end);
  }
  return [...left, { first: at, end: range.end }];
}

/** All of IPv4, and what of IPv6 is routed. */
const WORLDS = ["0.0.0.0/0", "2000::/3"].map((cidr) => rangeOf(cidr)!);

/** All addresses of IPv4 or of IPv6, or more than half of them. */
export type Reach = "any" | "nearly any";

/** How far ranges reach; undefined when that is less. */
export function reachOf(ranges: Range[]): Reach | undefined {
  const shares = WORLDS.map((world) => ({
    size: world.end - world.first,
    reached: covered(ranges, world),
  }));
  if (shares.some(({ reached, size }) => reached === size)) {
    return "any";
  }
  return shares.some(({ reached, size }) => reached * 2n > size) ? "nearly any" : undefined;
}

/** How many addresses of a world are in some range. */
function covered(ranges: Range[], world: Range): bigint {
  let count = 0n;
  let at = world.first;
  for (const { first, end } of inOrder(ranges)) {
    const [from, to] = [max(at, first), min(end, world.end)];
    if (to > from) {
      count += to - from;
      at = to;
    }
  }
  return count;
}
