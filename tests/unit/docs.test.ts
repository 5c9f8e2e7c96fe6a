/** What the documents name is there: pages, npm scripts, settings. */
import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";
import { z } from "zod";
import packageJson from "../../package.json";
import { settingsSchema } from "../../components/settings-schema";

const checkout = path.resolve(__dirname, "../..");
const pages = [
  "README.md",
  "policy/README.md",
  ...fs.readdirSync(path.join(checkout, "docs")).map((name) => `docs/${name}`),
].filter((name) => name.endsWith(".md"));
const read = (page: string) => fs.readFileSync(path.join(checkout, page), "utf8");

/** Every setting by its path, groups included. */
function settingPaths(): Set<string> {
  const schema = z.toJSONSchema(settingsSchema, { io: "input", unrepresentable: "any" });
  const paths = new Set<string>();
  const walk = (node: { properties?: object; anyOf?: object[] }, at: string) => {
    for (const choice of node.anyOf ?? []) walk(choice, at);
    for (const [key, inner] of Object.entries(node.properties ?? {})) {
      paths.add(`${at}${key}`);
      walk(inner, `${at}${key}.`);
    }
  };
  walk(schema, "");
  return paths;
}

describe("the documents", () => {
  it("are all in the README's table of pages, but for what another page names", () => {
    const linked = pages.flatMap((page) =>
      [...read(page).matchAll(/\]\(([^)#:]+\.md)/g)].map(([, target]) =>
        path.join(path.dirname(page), target),
      ),
    );
    const mentioned = (page: string) => pages.some((other) => read(other).includes(page));
    assert.deepEqual(
      pages.filter((page) => page !== "README.md" && !linked.includes(page) && !mentioned(page)),
      [],
    );
  });

  for (const page of pages) {
    it(`${page}: links lead somewhere`, () => {
      for (const [, target] of read(page).matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)) {
        const file = path.join(checkout, path.dirname(page), target);
        assert.ok(fs.existsSync(file), target);
      }
    });

    it(`${page}: npm scripts exist`, () => {
      for (const [, script] of read(page).matchAll(/\bnpm run (?:-s )?([\w:-]+)/g)) {
        assert.ok(script in packageJson.scripts, script);
      }
    });

    // Images begin with "matomo:" too, and the pack's page names some.
    if (page === "policy/README.md") continue;
    it(`${page}: settings exist`, () => {
      const known = settingPaths();
      for (const [, name] of read(page).matchAll(/\bmatomo:([a-z]\w*(?:\.\w+)*)/g)) {
        assert.ok(known.has(name), `matomo:${name}`);
      }
    });
  }
});
