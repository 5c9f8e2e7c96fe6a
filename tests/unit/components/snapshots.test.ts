/**
 * Every object that the program makes, per scenario, as a file that a reviewer reads in a diff.
 * `UPDATE_SNAPSHOTS=1 npm run test:unit` writes them anew.
 */
import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";
import { stringify } from "yaml";
import { reachability } from "../../reachability";
import { type Rendered, render } from "../../render";
import { parseSettings } from "../../../components/settings";
import { SCENARIOS } from "../../scenarios";

const FOLDER = path.join(__dirname, "../../snapshots");
const SCRIPTS = path.join(__dirname, "../../../components/scripts");

/** Scripts are reviewed as files of their own; here only their names are of interest. */
function withoutScripts(data: Record<string, string>): Record<string, string> {
  const short = Object.entries(data).map(([name, content]) => {
    const file = path.join(SCRIPTS, name);
    const isScript = fs.existsSync(file) && fs.readFileSync(file, "utf8") === content;
    return [name, isScript ? `(components/scripts/${name})` : content];
  });
  return Object.fromEntries(short);
}

function readable({ type, name, props }: Rendered): string {
  const shown = { ...props };
  if (type === "kubernetes:core/v1:ConfigMap") shown.data = withoutScripts(shown.data);
  const text = stringify(
    { [`${type} ${name}`]: shown },
    { lineWidth: 0, aliasDuplicateObjects: false },
  );
  return text.replace(/(matomo-fleet\/mounts: )[0-9a-f]{64}/g, "$1(checksum)");
}

/** All objects, and before them what may connect to what. */
function document(resources: Rendered[], controllerNamespace: string): string {
  const open = reachability(resources, controllerNamespace).map((line) => `# ${line}\n`);
  const objects = resources.filter(({ type }) => !/^(pulumi:|matomo:)/.test(type)).map(readable);
  return [...open, ...objects.sort()].join("");
}

describe("rendered objects", () => {
  for (const [scenario, config] of Object.entries(SCENARIOS)) {
    it(scenario, async () => {
      const { edge } = parseSettings(config);
      const rendered = document(await render(config), edge.controllerNamespace);
      const file = path.join(FOLDER, `${scenario}.yaml`);
      if (process.env.UPDATE_SNAPSHOTS) fs.writeFileSync(file, rendered);
      assert.equal(
        rendered,
        fs.readFileSync(file, "utf8"),
        "run UPDATE_SNAPSHOTS=1 npm run test:unit",
      );
    });
  }
});
