/** What the documents name is there: pages, npm scripts, the fleet's commands and options, settings. */
import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import packageJson from "../../package.json";
import { NAMES, NAMESPACE } from "../../components/labels";
import {
  MYSQL,
  requestsAndLimits,
  restrictedContainer,
  restrictedPod,
} from "../../components/pods";
import { parseSettings } from "../../components/settings";
import { settingsSchema } from "../../components/settings-schema";
import { fleetProgram } from "../../fleet/program";
import { fleetLines, refusalOf } from "../fleet-line";
import { MINIMAL } from "../render";

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

describe("a command line of the fleet", () => {
  const lines: [string, RegExp | undefined][] = [
    ["--help", undefined],
    ["restore STACK --from newest", undefined],
    ["bakcup STACK", /unknown command/],
    ["backup STACK --all", /unknown option '--all'/],
    ["restore STACK", /required option '--from/],
    ["repair-volume STACK archive", /allowed choices|invalid/i],
    ["backup", /missing required argument/],
  ];
  for (const [line, refusal] of lines) {
    it(`${line}: ${refusal ? "refused" : "taken"}`, async () => {
      const said = await refusalOf(line);
      if (refusal) assert.match(said ?? "", refusal);
      else assert.equal(said, undefined);
    });
  }

  it("is found in a page, without what stands behind it", () => {
    const page =
      "Run `npm run fleet -- up STACK`:\n\n    npm run fleet -- status a   # is it well\n";
    assert.deepEqual(fleetLines(page), ["up STACK", "status a"]);
  });
});

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

    it(`${page}: the fleet's command lines are taken as they stand`, async () => {
      for (const line of fleetLines(read(page))) {
        // What stands for all of them.
        if (line !== "COMMAND") assert.equal(await refusalOf(line), undefined, line);
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

  it("docs/operations.md: the pod that copies a backup is as restricted as the backup's own", () => {
    const [, block] = /^ {3}```yaml\n(.*?)^ {3}```$/ms.exec(read("docs/operations.md"))!;
    const { metadata, spec } = parse(block);
    const [container] = spec.containers;
    assert.deepEqual(spec.securityContext, restrictedPod(MYSQL));
    assert.deepEqual(container.securityContext, restrictedContainer);
    assert.deepEqual(container.resources, requestsAndLimits("50m/128Mi", "200m/256Mi"));
    assert.equal(container.image, `mariadb:${parseSettings(MINIMAL).mariadb.version}`);
    assert.deepEqual(metadata, { name: "copy-backup", namespace: NAMESPACE });
    assert.deepEqual(spec.volumes, [
      { name: "backup", persistentVolumeClaim: { claimName: NAMES.backupClaim } },
    ]);
  });

  it("docs/fleet.md: its table has every command, with options that the command has", async () => {
    const { commands } = await fleetProgram(() => Promise.resolve());
    const listed = [...read("docs/fleet.md").matchAll(/^\| (`.*?`) +\| .*$/gm)].map(
      ([row, cell]) => {
        const spans = [...cell.matchAll(/`([a-z][\w-]*(?: [a-z]+)?)[^`]*`/g)];
        return { row, names: spans.map(([, name]) => name) };
      },
    );
    const all = commands.flatMap((command) => [
      { name: command.name(), options: command.options },
      ...command.commands.map((inner) => ({
        name: `${command.name()} ${inner.name()}`,
        options: inner.options,
      })),
    ]);
    assert.deepEqual(
      listed.flatMap(({ names }) => names).sort(),
      all.map(({ name }) => name).sort(),
    );
    for (const { row, names } of listed) {
      const own = all.filter(({ name }) => names.includes(name));
      const known = own.flatMap(({ options }) => options.map(({ long }) => long));
      for (const [option] of row.matchAll(/--[a-z-]+/g)) assert.ok(known.includes(option), option);
    }
  });
});
