/**
 * What is in a namespace is begun when the namespace is made, not before. The provider tries an object
 * whose namespace is missing again for a minute, and the engine waits for all that it has begun: where a
 * rule refuses an object of the same `up` before the namespace is begun, that minute is for nothing.
 */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { createRequire } from "node:module";
import * as path from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import * as pulumi from "@pulumi/pulumi";
import { parseSettings } from "../../components/settings";
import { MatomoSite } from "../../components/site";
import { SCENARIOS } from "../scenarios";

const PROGRAMS = path.join(__dirname, "..", "incidents", "preview", "programs");
/** Turns of Node's loop that a namespace takes: in one, all is begun that waits for nothing. */
const TURNS = 100;

/** Runs a program; of the objects that are in a namespace, how many it made and which came too early. */
async function run(program: () => void): Promise<{ made: number; early: string[] }> {
  let made = 0;
  const namespaces = new Set<string>();
  const early: string[] = [];
  await pulumi.runtime.setMocks({
    newResource: async ({ type, name, inputs }) => {
      const state = { ...inputs, result: "random", hex: "random" };
      if (type === "kubernetes:core/v1:Namespace") {
        for (let i = 0; i < TURNS; i++) await turn();
        namespaces.add(inputs.metadata.name);
      } else if (inputs.metadata?.namespace) {
        made++;
        if (!namespaces.has(inputs.metadata.namespace)) early.push(`${type} ${name}`);
      }
      return { id: `${name}-id`, state };
    },
    call: ({ inputs }) => inputs,
  });
  await pulumi.runtime.runInPulumiStack(async () => program());
  await pulumi.runtime.disconnect();
  return { made, early };
}

describe("nothing is begun before its namespace is made", () => {
  for (const [scenario, config] of Object.entries(SCENARIOS)) {
    it(`in a site: ${scenario}`, async () => {
      const settings = parseSettings(config);
      const { made, early } = await run(() => {
        new MatomoSite("matomo", { settings, region: "nyc3" }, {});
      });
      assert.ok(made > 20, `${made} objects`);
      assert.deepEqual(early, []);
    });
  }

  for (const file of readdirSync(PROGRAMS)) {
    const { name } = path.parse(file);
    it(`in the program ${name}`, async () => {
      const { default: program } = createRequire(__filename)(path.join(PROGRAMS, name));
      const { made, early } = await run(() => program({}));
      if (name !== "password-may-go") assert.ok(made > 0);
      assert.deepEqual(early, []);
    });
  }
});
