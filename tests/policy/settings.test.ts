/** Settings: defaults are filled in, a wrong one is an error that names rule, key and what is allowed. */
import assert from "node:assert/strict";
import type { z } from "zod";
import { checkAll, jsonSchema } from "../../policy/core/pack";
import { parseSettings } from "../../policy/core/settings";
import { rules } from "../../policy/rules";
import { kube } from "./support/objects";

const rule = (name: string) => rules.find((r) => r.name === name)!;

const parse = (name: string, given: unknown) =>
  parseSettings(name, rule(name).settings as z.ZodType<Record<string, unknown>>, given);

describe("settings", () => {
  it("have their defaults", () => {
    for (const { name } of rules) {
      assert.deepEqual(parse(name, undefined).exemptions, [], name);
    }
    assert.equal(parse("pods-are-restricted", {}).kubernetesVersion, "1.34");
    assert.equal(parse("cron-job-is-bounded", { maxHistory: 1 }).maxBackoffLimit, 5);
  });

  it("are told to the engine as JSON schema, each with a description and a default", () => {
    for (const one of rules) {
      for (const [key, schema] of Object.entries(
        jsonSchema(one) as Record<string, z.core.JSONSchema.JSONSchema>,
      )) {
        assert.ok(schema.description && "default" in schema, `${one.name}.${key}`);
      }
    }
  });

  const wrong: [string, object, RegExp][] = [
    ["image-is-pinned", { floating: [] }, /image-is-pinned: Unrecognized key: "floating"/],
    ["image-is-pinned", { requireDigest: "yes" }, /image-is-pinned\.requireDigest: .*boolean/],
    [
      "pods-are-restricted",
      { kubernetesVersion: "1.34.2" },
      /must be 1\.25 or later, such as 1\.34/,
    ],
    ["pods-are-restricted", { kubernetesVersion: "1.24" }, /must be 1\.25 or later/],
    ["cron-job-is-bounded", { maxHistory: -1 }, /cron-job-is-bounded\.maxHistory/],
    ["cron-job-is-bounded", { mayReplace: ["job"] }, /mayReplace\.0: must be namespace\/name/],
    ["data-is-protected", { types: ["Volume"] }, /types\.0: must be a Pulumi type/],
    ["php-memory-fits", { workers: 0 }, /php-memory-fits\.workers/],
    ["network-default-deny", { exemptions: [{ name: "a" }] }, /exemptions\.0\.reason/],
    [
      "network-default-deny",
      { exemptions: [{ name: "a", reason: "no" }] },
      /exemptions\.0\.reason/,
    ],
  ];
  for (const [name, given, message] of wrong) {
    it(`refuses ${name} ${JSON.stringify(given)}`, () => {
      assert.throws(
        () => parse(name, given),
        (error: Error) => {
          assert.match(error.message, message);
          assert.match(error.message, /policy\/README\.md lists what is allowed/);
          return true;
        },
      );
    });
  }

  it("reach the rule that they are for", () => {
    const config = { "data-is-protected": { retained: ["data"] } };
    const claim = kube("v1", "PersistentVolumeClaim", "data", { spec: {} });
    assert.deepEqual(checkAll(rules, [claim], config), []);
    assert.equal(checkAll(rules, [claim]).length, 1);
  });
});
