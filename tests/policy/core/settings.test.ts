/** Settings: defaults are filled in, a wrong one is an error that names rule, key and what is allowed. */
import assert from "node:assert/strict";
import type { z } from "zod";
import { checkAll, jsonSchema } from "../../../policy/core/pack";
import { KubeObject } from "../../../policy/core/objects";
import { Exemption, exemptionFor, parseSettings } from "../../../policy/core/settings";
import { rules } from "../../../policy/rules";
import { change, kube } from "../support/objects";
import { UNKNOWN } from "../support/proxy";
import { proxied } from "../support/table";

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
    ["pods-are-restricted", { kubernetesVersion: "11.34" }, /must be 1\.25 or later/],
    ["cron-job-is-bounded", { maxHistory: -1 }, /cron-job-is-bounded\.maxHistory/],
    ...["job", "/job", "shop/", "/shop/job", "shop/job/"].map((name): [string, object, RegExp] => [
      "cron-job-is-bounded",
      { mayReplace: [name] },
      /mayReplace\.0: must be namespace\/name/,
    ]),
    ["cron-job-is-bounded", { maxBackoffLimit: -1 }, /cron-job-is-bounded\.maxBackoffLimit/],
    ["data-is-protected", { types: ["Volume"] }, /types\.0: must be a Pulumi type/],
    ["data-is-protected", { types: ["x:a:b:c"] }, /types\.0: must be a Pulumi type/],
    ["image-is-pinned", { floatingTags: [""] }, /image-is-pinned\.floatingTags\.0/],
    ["pods-are-restricted", { exemptNamespaces: [""] }, /exemptNamespaces\.0/],
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

  it("are refused with every error at once, a line each", () => {
    assert.throws(
      () => parse("cron-job-is-bounded", { maxHistory: -1, mayReplace: ["job"] }),
      /\n {2}cron-job-is-bounded\.maxHistory: .+\n {2}cron-job-is-bounded\.mayReplace\.0: /,
    );
  });

  it("reach the rule that they are for", () => {
    const config = { "data-is-protected": { retained: ["data"] } };
    const claim = kube("v1", "PersistentVolumeClaim", "data", { spec: {} });
    assert.deepEqual(checkAll(rules, [claim], config), []);
    assert.equal(checkAll(rules, [claim]).length, 1);
  });
});

describe("exemptions", () => {
  const web = kube("apps/v1", "Deployment", "web", {});
  const nameless = change(web, "metadata.name", UNKNOWN);
  const homeless = change(web, "metadata.namespace", UNKNOWN);
  const rows: [string, typeof web, object, boolean][] = [
    ["its name, in any namespace", web, { name: "web" }, true],
    ["its name and namespace", web, { namespace: "shop", name: "web" }, true],
    ["its name in another namespace", web, { namespace: "blog", name: "web" }, false],
    ["another name", web, { name: "cache" }, false],
    ["a name that is its beginning", web, { name: "we" }, false],
    ["a name that it begins", web, { name: "webs" }, false],
    ["its beginning and any rest", web, { name: "we*" }, true],
    ["its whole name and any rest", web, { name: "web*" }, true],
    ["another beginning", web, { name: "wiki-*" }, false],
    ["every name", web, { name: "*" }, true],
    ["every name of its namespace", web, { namespace: "sh*", name: "*" }, true],
    // Not known yet: only what covers everything covers it.
    ["every name, of a name not known yet", nameless, { namespace: "shop", name: "*" }, true],
    ["a beginning of a name not known yet", nameless, { name: "w*" }, false],
    ["a name, in a namespace not known yet", homeless, { name: "web" }, true],
    ["a namespace that may be it", homeless, { namespace: "shop", name: "web" }, false],
  ];
  for (const [title, object, given, covered] of rows) {
    it(`${covered ? "cover" : "do not cover"} an object by ${title}`, () => {
      const config = { exemptions: [{ reason: "a reason of its own", ...given }] };
      const { exemptions } = parse("image-is-pinned", config) as { exemptions: Exemption[] };
      const found = exemptionFor(new KubeObject(proxied(object)), exemptions);
      assert.equal(found, covered ? exemptions[0] : undefined);
    });
  }

  it("are many: the first that covers an object gives the reason", () => {
    const named = (name: string) => ({ namespace: "*", name, reason: `since it is ${name}` });
    const list = ["cache", "web", "*"].map(named);
    assert.equal(exemptionFor(new KubeObject(proxied(web)), list), list[1]);
    assert.equal(exemptionFor(new KubeObject(proxied(web)), []), undefined);
  });
});
