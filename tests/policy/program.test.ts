/** The project's own program passes on every stack, whatever its settings are. */
import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";
import { parseDocument } from "yaml";
import { renderSettings } from "../../fleet/checks/render";
import { parseStackFile } from "../../fleet/stacks";
import { checkAll } from "../../policy/core/pack";
import { rules } from "../../policy/rules";
import { settingsSchema } from "../../components/settings-schema";
import { SCENARIOS } from "../scenarios";
import { drawn, drawnBy } from "../soak";
import { cover } from "./support/cover";
import { defaulted } from "./support/defaults";
import { proxied } from "./support/table";

const ROOT = path.join(__dirname, "../..");
const STACKS = ["liberty", "yonks", "personal", "local"];
const DIGEST = `@sha256:${"0".repeat(64)}`;

const VOLUMES = { mode: "volumes" };

const PLUGIN = {
  name: "CustomReports",
  version: "5.2.1",
  url: "https://example.com:8443/CustomReports-5.2.1.zip",
  sha256: "0".repeat(64),
};

/** What a stack file may say of each setting, beside leaving it out. */
const CHOICES: Record<string, unknown[]> = {
  aliases: [["stats.example.org"]],
  username: ["owner"],
  website: [{ name: "Shop", url: "https://shop.example.com", timezone: "Europe/Berlin" }],
  matomo: [
    { version: "5.6.0", memory: "4Gi", workers: 12 },
    { version: "5.5.1", image: `mirror.example.com/matomo${DIGEST}` },
  ],
  mariadb: [
    { version: "12.3.1", memory: "4Gi" },
    { version: "12.0.2", image: `mirror.example.com/mariadb${DIGEST}` },
  ],
  storage: [VOLUMES, { data: "20Gi", database: "50Gi", backup: "100Gi" }],
  archive: [{ schedule: "*/30 * * * *", timeout: 7200, memory: "512Mi", cpu: "1" }],
  backup: [{ schedule: "30 2 * * *", retentionDays: 90 }],
  edge: [
    { issuer: "production", proxies: ["198.51.100.0/24"], requestsPerSecond: 5 },
    { class: "traefik", controllerNamespace: "traefik" },
    { kind: "gateway", issuer: "production" },
    { kind: "gateway", class: "envoy", controllerNamespace: "envoy-gateway-system" },
  ],
  privacy: [{ anonymizeIp: 3, retentionDays: 180, doNotTrack: true, cookieless: true }],
  plugins: [{ install: [PLUGIN], disabled: ["Overlay"] }],
  config: [{ General: { action_url_category_delimiter: "/" }, Tracker: { debug: 0 } }],
  egress: [{ geoip: false }, { smtp: true }, { geoip: false, smtp: true }],
};

/** Said by each stack's own file, and changes no more than a name. */
const OF_THE_STACK = ["domain", "email", "cluster"];

/** The settings of a stack whose file says this as well. */
function settingsOf(stack: string, more: Record<string, unknown>) {
  const file = parseDocument(fs.readFileSync(path.join(ROOT, `Pulumi.${stack}.yaml`), "utf8"));
  for (const [key, value] of Object.entries(more)) {
    // Where there is no DigitalOcean, nothing could make Volumes: the settings refuse it.
    const refused = stack === "local" && value === VOLUMES;
    if (value !== undefined && !refused) file.setIn(["config", `matomo:${key}`], value);
  }
  return parseStackFile(String(file), "matomo");
}

describe("the project's own program", () => {
  // The SDK notes a stack trace for each promise: two thirds of what a rendering takes.
  const { stackTraceLimit } = Error;
  before(() => (Error.stackTraceLimit = 0));
  after(() => (Error.stackTraceLimit = stackTraceLimit));

  /** In both shapes in which a preview passes an object: as stated, and as the server answers. */
  async function judge(stack: string, more: Record<string, unknown>): Promise<string[]> {
    const settings = settingsOf(stack, more);
    const { resources } = await renderSettings(settings, { stack, withFieldManager: true });
    const shapes = [resources, resources.map(defaulted)];
    return shapes.flatMap((shape) =>
      checkAll(rules, shape.map(proxied)).map(({ message }) => message),
    );
  }

  it("has a choice here for each setting", () => {
    const keys = [...Object.keys(CHOICES), ...OF_THE_STACK].sort();
    assert.deepEqual(keys, Object.keys(settingsSchema.shape).sort());
  });

  for (const [name, config] of Object.entries(SCENARIOS)) {
    it(`passes in scenario ${name}`, async () =>
      assert.deepEqual(await judge("liberty", config), []));
  }

  it(`passes on each stack with every three settings combined; of those rows ${drawnBy}`, async () => {
    const choices = Object.entries(CHOICES).map(([key, said]) => [key, [undefined, ...said]]);
    const rows = cover<unknown>({ stack: STACKS, ...Object.fromEntries(choices) }, 3);
    for (const { stack, ...more } of drawn(rows, Math.ceil(rows.length / 4))) {
      assert.deepEqual(await judge(stack as string, more), [], JSON.stringify({ stack, ...more }));
    }
  });
});
