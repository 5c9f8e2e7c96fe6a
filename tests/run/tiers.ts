/** The tiers of the tests: each is a folder below tests/, and runs in a process of its own. */
import { readdirSync } from "node:fs";
import * as path from "node:path";
import { checkout } from "../../local/paths";

export interface Tier {
  /** As it is asked for: the last part of its folder. */
  name: string;
  /** What it has of another tier's folder, from there. Default: its folder is called as it is. */
  within?: string;
  /** What it runs on: npm alone, the embedded engine and cluster, or a real node beside them. */
  on: "npm" | "cluster" | "node";
}

/** In the order in which they begin: what takes longest first, but for those that answer at once. */
export const tiers: Tier[] = [
  { name: "node", on: "node" },
  { name: "scripts", within: "node", on: "node" },
  { name: "unit", on: "npm" },
  { name: "api", on: "cluster" },
  { name: "policy", on: "npm" },
  { name: "fleet", on: "cluster" },
  { name: "adoption", on: "cluster" },
  { name: "incidents", on: "cluster" },
];

function folderOf({ within = "", name }: Tier): string {
  return path.join("tests", within, name);
}

/** The test files of a tier, as paths within the checkout. */
export function testFiles(tier: Tier): string[] {
  const folder = folderOf(tier);
  const names = readdirSync(path.join(checkout, folder), { recursive: true, encoding: "utf8" });
  const tests = names.filter((name) => name.endsWith(".test.ts"));
  const others = tiers.filter(({ within }) => within === tier.name).map(folderOf);
  return tests
    .map((name) => path.join(folder, name))
    .filter((file) => !others.some((other) => file.startsWith(other + path.sep)))
    .sort();
}

/** What a run is asked for: tiers, each with its files. */
export interface Wanted {
  tier: Tier;
  files: string[];
}

/**
 * Tiers and files that names stand for: of tiers, or of test files and folders. None stands for all.
 * @throws Error for a name that stands for nothing
 */
export function wanted(names: string[]): Wanted[] {
  const all = tiers.map((tier): Wanted => ({ tier, files: testFiles(tier) }));
  if (names.length === 0) return all;
  const chosen = new Set<string>();
  for (const name of names) {
    const relative = path.relative(checkout, path.resolve(name));
    const files = all.flatMap(({ tier, files }) =>
      files.filter(
        (file) => tier.name === name || file === relative || file.startsWith(relative + path.sep),
      ),
    );
    if (files.length === 0) {
      const known = tiers.map((tier) => tier.name).join(", ");
      throw new Error(`no tests are called ${name}: a tier (${known}), a test file or its folder`);
    }
    for (const file of files) chosen.add(file);
  }
  return all
    .map(({ tier, files }) => ({ tier, files: files.filter((file) => chosen.has(file)) }))
    .filter(({ files }) => files.length > 0);
}
