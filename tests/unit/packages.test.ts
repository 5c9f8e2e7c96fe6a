/** What runs outside of tests imports packages that `npm ci --omit=dev` installs. */
import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";
import packageJson from "../../package.json";

const checkout = path.resolve(__dirname, "../..");

/** Packages that a file imports, by any of the ways. */
function imports(file: string): string[] {
  const text = fs.readFileSync(path.join(checkout, file), "utf8");
  const ways = /\bfrom "([^"]+)"|\bimport\("([^"]+)"\)|\brequire(?:\.resolve)?\("([^"]+)"\)/g;
  return [...text.matchAll(ways)]
    .map(([, ...names]) => names.find((name) => name !== undefined)!)
    .filter((name) => !/^(\.|node:)/.test(name))
    .map((name) => /^(?:@[^/]+\/)?[^/]+/.exec(name)![0]);
}

describe("the packages", () => {
  const files = ["components", "fleet", "launch", "local", "policy"].flatMap((folder) =>
    fs
      .readdirSync(path.join(checkout, folder), { recursive: true, encoding: "utf8" })
      .filter((name) => /\.[cm]?[jt]s$/.test(name))
      .map((name) => path.join(folder, name)),
  );
  const used = new Set(["index.ts", ...files].flatMap(imports));

  it("that the program and its commands import are no development packages", () => {
    assert.ok(used.size > 15, `${used.size} packages`);
    const missing = [...used].filter((name) => !(name in packageJson.dependencies));
    assert.deepEqual(missing, []);
  });

  it("of which none is there for tests alone", () => {
    const scripts = Object.values(packageJson.scripts).join("\n");
    // A program's node loads it, by its name in Pulumi.yaml.
    const named = `${scripts}\n${fs.readFileSync(path.join(checkout, "Pulumi.yaml"), "utf8")}`;
    const unused = Object.keys(packageJson.dependencies).filter(
      (name) => !used.has(name) && !named.includes(name),
    );
    assert.deepEqual(unused, []);
  });
});
