/**
 * Compliant programs of shapes that this project does not have. Linters report many of them; here all
 * are silent, but for what cannot be looked into, which is named.
 */
import assert from "node:assert/strict";
import { checkAll } from "../../../policy/core/pack";
import { rules } from "../../../policy/rules";
import { defaulted } from "../support/defaults";
import { brief, proxied } from "../support/table";
import { PROGRAMS } from "./compliant";
import { MORE_PROGRAMS } from "./compliant-more";

describe("compliant programs of other shapes", () => {
  const programs = { ...PROGRAMS, ...MORE_PROGRAMS };

  it("are at least twenty", () => {
    assert.ok(Object.keys(programs).length >= 20);
  });

  for (const [name, { resources, names = [] }] of Object.entries(programs)) {
    it(`${name} passes`, () => {
      for (const shape of [resources, resources.map(defaulted)]) {
        const findings = checkAll(rules, shape.map(proxied));
        assert.deepEqual(findings.map(brief), names, findings.map((f) => f.message).join("\n"));
      }
    });
  }
});
