/** policy/README.md tells every rule as the code has it: level, settings, and a message it really gives. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import * as path from "node:path";
import { checkAll, isStackRule, jsonSchema } from "../../policy/core/pack";
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

function settingsOf(rule: Rule): string[] {
  return Object.entries(jsonSchema(rule) as Record<string, Record<string, unknown>>)
    .filter(([name]) => name !== "exemptions")
    .map(([name, { description, default: value }]) =>
      wrapped(`- \`${name}\` (default \`${JSON.stringify(value)}\`): ${description}.`, "  "),
    );
}

/** A rule's section. */
function section(rule: Rule): string {
  const [example] = checkAll([rule], EXAMPLES[rule.name]);
  const kind = isStackRule(rule) ? "stack" : "resource";
  const incidents = rule.incidents.length > 0 ? `, incidents ${rule.incidents.join(", ")}` : "";
  const settings = settingsOf(rule);
  return [
    `### ${rule.name}`,
    "",
    `${rule.title} (${rule.level}, ${kind}, severity ${rule.severity}${incidents}).`,
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

  it("tells every rule, and no other", () => {
    const [, told] = text.split("## Rules\n\n");
    assert.equal(told, `${rules.map(section).join("\n\n")}\n`);
  });
});
