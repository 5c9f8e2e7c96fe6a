/** The project's own program passes under every combination of settings that changes its objects. */
import assert from "node:assert/strict";
import { checkAll } from "../../policy/core/pack";
import { rules } from "../../policy/rules";
import { MINIMAL, render } from "../render";
import { SCENARIOS } from "../scenarios";
import { proxied } from "./support/table";

const json = JSON.stringify;

/** Each setting's choices; one of each makes a stack. */
const CHOICES: [string, (string | undefined)[]][] = [
  ["storage", [undefined, json({ mode: "volumes" })]],
  [
    "edge",
    [
      undefined,
      json({ issuer: "production", proxies: ["198.51.100.0/24"] }),
      SCENARIOS.gateway.edge,
      SCENARIOS.envoy.edge,
    ],
  ],
  ["egress", [undefined, json({ geoip: false, smtp: false }), json({ geoip: true, smtp: true })]],
  ["aliases", [undefined, json(["stats.example.org"])]],
];

function combinations(): Record<string, string>[] {
  return CHOICES.reduce<Record<string, string>[]>(
    (made, [key, values]) =>
      made.flatMap((config) =>
        values.map((value) => (value === undefined ? config : { ...config, [key]: value })),
      ),
    [MINIMAL],
  );
}

describe("the project's own program", function () {
  this.timeout(120_000);

  const judge = async (config: Record<string, string>) =>
    checkAll(rules, (await render(config)).map(proxied)).map(({ message }) => message);

  for (const [name, config] of Object.entries(SCENARIOS)) {
    it(`passes in scenario ${name}`, async () => assert.deepEqual(await judge(config), []));
  }

  it("passes in every combination of settings", async () => {
    for (const config of combinations()) {
      assert.deepEqual(await judge(config), [], json(config));
    }
  });
});
