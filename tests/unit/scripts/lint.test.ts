/**
 * Every script that runs in a pod: PHP's grammar, a header, the secrets' rules. What needs more than
 * npm (shellcheck, PHP itself) is in tests/node/scripts/lint.test.ts.
 */
import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";
import { Engine } from "php-parser";

const SCRIPTS = path.resolve(__dirname, "../../../components/scripts");
const LOOKALIKE = path.resolve(__dirname, "../../lookalike/matomo");

function filesBelow(dir: string): string[] {
  const found = fs.readdirSync(dir, { recursive: true, encoding: "utf8" });
  return found.filter((name) => fs.statSync(path.join(dir, name)).isFile()).sort();
}
const read = (file: string) => fs.readFileSync(path.join(SCRIPTS, file), "utf8");
const scripts = fs.readdirSync(SCRIPTS);
const shell = scripts.filter((name) => name.endsWith(".sh"));
const php = scripts.filter((name) => name.endsWith(".php"));

/** PHP's grammar, by a parser in JavaScript; the node tier runs the files with PHP itself. */
function parsePhp(file: string): void {
  const parser = new Engine({ parser: { version: 802, suppressErrors: false } });
  parser.parseCode(fs.readFileSync(file, "utf8"), path.basename(file));
}

describe("scripts of the pods", () => {
  for (const file of php) {
    it(`${file} is PHP`, () => parsePhp(path.join(SCRIPTS, file)));
  }
  it("are parsed for real: broken PHP is refused", () => {
    const parser = new Engine({ parser: { version: 802 } });
    assert.throws(() => parser.parseCode("<?php function (", "broken.php"));
  });
  for (const file of shell) {
    it(`${file} stops at the first error, or is sourced by one that does`, () => {
      const text = read(file);
      assert.ok(/^set -euo pipefail$/m.test(text) || /Sourced by/.test(text));
    });
  }
  for (const file of [...shell, "install.php", "state-export.php"]) {
    it(`${file} says who runs it and with which volumes`, () => {
      const header = read(file).split("\n").slice(0, 20).join("\n");
      assert.match(header, /Run by:|Sourced by/);
      assert.match(header, /Volumes/);
      assert.match(header, /33|999/);
    });
  }
  it("hold no password option, and no secret in a URL", () => {
    for (const file of [...shell, ...php]) {
      assert.doesNotMatch(read(file), /--password=|MYSQL_PWD|[?&]token_auth=/, file);
    }
  });
});

describe("the look-alike of Matomo", () => {
  const files = filesBelow(LOOKALIKE);
  for (const file of files.filter((name) => name.endsWith(".php") && !name.endsWith(".ini.php"))) {
    it(`${file} is PHP`, () => parsePhp(path.join(LOOKALIKE, file)));
  }
  it("has a manifest of all its files", () => {
    const manifest = fs.readFileSync(path.join(LOOKALIKE, "config/manifest.inc.php"), "utf8");
    const listed = [...manifest.matchAll(/^ +"([^"]+)",$/gm)].map(([, name]) => name).sort();
    assert.deepEqual(
      listed,
      files.filter((name) => name !== "config/manifest.inc.php"),
    );
  });
});
