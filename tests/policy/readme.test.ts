/** policy/README.md tells every rule as the code has it: level, settings, and a message it really gives. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import * as path from "node:path";
import type { z } from "zod";
import { checkAll, isResourceRule, isStackRule, jsonSchema } from "../../policy/core/pack";
import type { Rule } from "../../policy/core/rule";
import { rules } from "../../policy/rules";
import { EXAMPLES } from "./support/examples";

const file = path.join(__dirname, "../../policy/README.md");

/** Lines of at most 100 columns, those after the first indented. */
function wrapped(text: string, indent = ""): string {
  const lines = [""];
  for (const word of text.split(" ")) {
    const longer = `${lines.at(-1)}${lines.at(-1) ? " " : ""}${word}`;
    if (longer.length <= 100 - indent.length) {
      lines[lines.length - 1] = longer;
    } else {
      lines.push(word);
    }
  }
  return lines.join(`\n${indent}`);
}

type Schema = Record<string, z.core.JSONSchema.JSONSchema>;

/** A line for each key: its default, unless it has none and must be given, and its description. */
function keysOf(schema: Schema): string[] {
  return Object.entries(schema).map(([name, { description, default: value }]) => {
    const given = value === undefined ? "" : ` (default \`${JSON.stringify(value)}\`)`;
    return wrapped(`- \`${name}\`${given}: ${description}.`, "  ");
  });
}

function settingsOf(rule: Rule): string[] {
  const keys = Object.entries(jsonSchema(rule) as Schema);
  return keysOf(Object.fromEntries(keys.filter(([name]) => name !== "exemptions")));
}

/** A rule's section. */
function section(rule: Rule): string {
  const [example] = checkAll([rule], EXAMPLES[rule.name]);
  const stages = { resource: isResourceRule(rule), stack: isStackRule(rule) };
  const kind = Object.entries(stages).flatMap(([stage, is]) => (is ? stage : []));
  const incidents = rule.incidents.length > 0 ? `, incidents ${rule.incidents.join(", ")}` : "";
  const settings = settingsOf(rule);
  return [
    `### ${rule.name}`,
    "",
    `${rule.title} (${rule.level}, ${kind.join(" and ")}, severity ${rule.severity}${incidents}).`,
    wrapped(`${rule.description} [Why](${rule.url})`),
    "",
    ...(settings.length > 0 ? [...settings, ""] : []),
    wrapped(`> ${example.message}`, "> "),
    "",
    wrapped(`To do: ${rule.remediation}`),
  ].join("\n");
}

describe("policy/README.md", () => {
  const text = readFileSync(file, "utf8");

  it("has an example of every rule", () => {
    assert.deepEqual(Object.keys(EXAMPLES).sort(), rules.map(({ name }) => name).sort());
  });

  it("tells what exemptions are, which every rule has", () => {
    for (const rule of rules) {
      const { exemptions } = jsonSchema(rule) as Schema;
      const { properties } = exemptions.items as { properties: Schema };
      const told = [
        `Every rule has \`exemptions\`: ${exemptions.description}.`,
        "",
        ...keysOf(properties),
      ];
      assert.ok(text.includes(`${told.join("\n")}\n`), told.join("\n"));
    }
  });

  it("tells every rule, and no other", () => {
    const [, told] = text.split("## Rules\n\n");
    assert.equal(told, `${rules.map(section).join("\n\n")}\n`);
  });
});

describe("the comment of each rule's file", () => {
  for (const { name, incidents } of rules) {
    it(`${name} names incidents ${incidents.join(", ") || "none"}`, () => {
      const source = readFileSync(path.join(__dirname, `../../policy/rules/${name}.ts`), "utf8");
      const [comment] = source.split("*/", 1);
      const named = [...comment.matchAll(/\bincident (\d+)/g)].map(([, number]) => Number(number));
      assert.deepEqual([...new Set(named)].sort(), [...incidents].sort());
    });
  }
});
