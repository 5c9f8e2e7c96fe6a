/**
 * docs/incidents.md is complete: all twenty incidents, each with what happened, what rules it out and
 * tests that exist under the very title, and every rule and file that it names is there.
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import * as path from "node:path";
import { execa } from "execa";
import { rules } from "../../policy/rules";

const CHECKOUT = path.join(__dirname, "..", "..");
const COUNT = 20;
const PARTS = ["**What happened.**", "**What rules it out.**", "**Shown by**"];
const TEST = /^- `(tests\/[^`]+\.test\.ts)`: (.+)$/gm;

interface Proof {
  file: string;
  title: string;
}

/** Each incident's text by its number. */
function incidents(): Map<number, string> {
  const page = readFileSync(path.join(CHECKOUT, "docs", "incidents.md"), "utf8");
  const sections = page.split(/^## (?=\d+\. )/m).slice(1);
  return new Map(sections.map((text) => [Number.parseInt(text, 10), text]));
}

function proofs(text: string): Proof[] {
  return [...text.matchAll(TEST)].map(([, file, title]) => ({ file, title }));
}

/** Titles that mocha finds in these files, rows of tables included; nothing is run. */
async function titlesIn(files: string[]): Promise<Set<string>> {
  const mocha = path.join(CHECKOUT, "node_modules", "mocha", "bin", "mocha.js");
  const args = [mocha, "--dry-run", "--reporter=json", ...files];
  const { stdout } = await execa(process.execPath, args, { cwd: CHECKOUT });
  const { tests } = JSON.parse(stdout) as { tests: Proof[] };
  return new Set(tests.map(({ file, title }) => `${path.relative(CHECKOUT, file)}: ${title}`));
}

describe("docs/incidents.md", () => {
  const page = incidents();

  it("lists all twenty, in order", () => {
    const numbers = Array.from({ length: COUNT }, (_, i) => i + 1);
    assert.deepEqual([...page.keys()], numbers);
  });

  for (const [number, text] of page) {
    it(`${number}: what happened, what rules it out, and what shows it`, () => {
      const found = PARTS.map((part) => text.indexOf(part));
      assert.ok(!found.includes(-1), `a part is missing; all are: ${PARTS.join(" ")}`);
      const bullets = text.split("\n").filter((line) => line.startsWith("- "));
      assert.equal(proofs(text).length, bullets.length, "a line that names no test file and title");
      assert.ok(bullets.length > 0, "no test");
    });

    it(`${number}: what it names is there`, () => {
      for (const [, name] of text.matchAll(/`([a-z][\w./-]*)`/g)) {
        const isPath = /^(components|tests|docs|local|fleet)\//.test(name);
        if (isPath) assert.ok(existsSync(path.join(CHECKOUT, name)), `no file ${name}`);
      }
      const sentence = /\bRules? (`[^.]+`)\./.exec(text)?.[1] ?? "";
      for (const [, name] of sentence.matchAll(/`([^`]+)`/g)) {
        const known = rules.map((rule) => rule.name);
        assert.ok(known.includes(name), `no rule ${name}; there are: ${known.join(", ")}`);
      }
    });
  }

  it("names tests that exist under these titles", async () => {
    const named = [...page.values()].flatMap(proofs);
    const titles = await titlesIn([...new Set(named.map(({ file }) => file))]);
    const missing = named.map(({ file, title }) => `${file}: ${title}`);
    assert.deepEqual(
      missing.filter((name) => !titles.has(name)),
      [],
      "no such tests",
    );
  });
});
