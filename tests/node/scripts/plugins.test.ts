/**
 * Plugins that are no part of Matomo: those that the settings declare are there after every start,
 * those that they switch off are off before Matomo starts, and none of it takes a site down.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import type { PluginSettings } from "../../../components/settings-schema";
import type { Running } from "./sandbox";
import { Site, WEB_USER } from "./site";

type Declared = PluginSettings["install"][number];

const NAME = "DeclaredPlugin";
const FROM = "http://matomo:9000";

/** The files of a plugin that does nothing. */
function plugin(version: string): Record<string, string> {
  const described = { name: NAME, version, require: { matomo: ">=5.0.0-b1,<6.0.0-b1" } };
  return {
    [`${NAME}/plugin.json`]: JSON.stringify(described),
    [`${NAME}/${NAME}.php`]: `<?php namespace Piwik\\Plugins\\${NAME}; class ${NAME} extends \\Piwik\\Plugin {}\n`,
    [`${NAME}/only-in-${version}.txt`]: "",
  };
}

describe("plugins", () => {
  const site = new Site();
  let server: Running | undefined;
  before(async () => {
    await site.start();
    site.sandbox.volume("served", WEB_USER);
    await site.startDatabase();
    await serve();
    await restart({ install: [await zip("1.0.0", plugin("1.0.0"))] });
    await site.startWeb();
  });
  after(() => site.dispose());

  const served = (file: string) => path.join(site.sandbox.dir, "served", file);
  const there = (file = "") => fs.existsSync(site.path("state", "plugins", NAME, file));
  const config = () => fs.readFileSync(site.path("state", "config/config.ini.php"), "utf8");
  const active = () => config().includes(`\nPlugins[] = "${NAME}"`);

  /** Serves the folder of zips in the pods' network. */
  async function serve(): Promise<void> {
    const script = `
      const fs = require("node:fs");
      require("node:http").createServer((request, response) => {
        const file = "/served" + request.url;
        if (!fs.existsSync(file)) response.statusCode = 404;
        response.end(fs.existsSync(file) ? fs.readFileSync(file) : "none");
      }).listen(9000, () => console.log("ready"));`;
    server = await site.sandbox.spawn({
      user: 65534,
      mounts: { "/served": `${served("")}:ro` },
      command: [process.execPath, "-e", script],
    });
    await new Promise((resolve) => server!.stdout!.once("data", resolve));
  }
  async function stopServing(): Promise<void> {
    server!.kill("SIGKILL");
    await server!.finished;
  }

  /** Makes a zip that is served, and what the settings say of it. */
  async function zip(version: string, files: Record<string, string>): Promise<Declared> {
    const file = `${NAME}-${version}.zip`;
    const script = `$zip = new ZipArchive(); $zip->open("/served/$argv[1]", ZipArchive::CREATE);
      foreach (json_decode(stream_get_contents(STDIN), true) as $name => $text) $zip->addFromString($name, $text);
      exit($zip->close() ? 0 : 1);`;
    const { status, output } = await site.sandbox.run({
      image: "matomo",
      user: WEB_USER,
      mounts: { "/served": served("") },
      command: ["php", "-r", script, "--", file],
      input: JSON.stringify(files),
    });
    assert.equal(status, 0, output);
    const sha256 = createHash("sha256")
      .update(fs.readFileSync(served(file)))
      .digest("hex");
    return { name: NAME, version, url: `${FROM}/${file}`, sha256 };
  }

  /** A new pod up to its Apache; what the install said. */
  async function restart(plugins: Partial<PluginSettings>): Promise<string> {
    site.configure({ plugins: { install: [], disabled: [], ...plugins } });
    const laidOut = await site.layout();
    assert.equal(laidOut.status, 0, laidOut.output);
    const { status, output } = await site.install();
    assert.equal(status, 0, output);
    return output;
  }

  it("that are declared are fetched and activated at the first start", async () => {
    assert.ok(there("plugin.json") && active());
    const listed = await site.console("plugin:list");
    assert.match(listed.output, new RegExp(`${NAME} +\\| [^\\n]*Activated`));
  });

  it("need no network again, and come back when their folder is lost", async () => {
    const known = [await zip("1.0.0", {})];
    await stopServing();
    assert.match(await restart({ install: known }), /^install: Matomo \S+ is ready\s*$/);
    fs.rmSync(site.path("state", "plugins", NAME), { recursive: true });
    assert.match(await restart({ install: known }), /plugin DeclaredPlugin 1\.0\.0 is in place/);
    assert.ok(there("plugin.json") && active());
    await serve();
  });

  it("become the new version that is declared, whole", async () => {
    const next = await zip("1.1.0", plugin("1.1.0"));
    assert.match(await restart({ install: [next] }), /plugin DeclaredPlugin 1\.1\.0 is in place/);
    assert.ok(there("only-in-1.1.0.txt") && !there("only-in-1.0.0.txt") && active());
    const kept = fs.readdirSync(site.path("state", ".matomo/plugins"));
    assert.deepEqual(kept, [`${next.sha256}.zip`]);
  });

  it("stay as they are when the new one cannot be had, which is said with its reason", async () => {
    const good = await zip("1.2.0", plugin("1.2.0"));
    const outside = await zip("1.3.0", { ...plugin("1.3.0"), "../../config/config.ini.php": "" });
    const other = await zip("1.4.0", plugin("1.4.1"));
    const stays = "the one that is there stays: 1\\.1\\.0";
    for (const [declared, why] of [
      [
        { ...good, sha256: "0".repeat(64) },
        `1\\.2\\.0: ${good.url} has the SHA-256 ${good.sha256}`,
      ],
      [
        { ...good, url: `${FROM}/none.zip`, sha256: "1".repeat(64) },
        "none\\.zip cannot be fetched .*404",
      ],
      [
        { ...good, url: "http://matomo:9009/x.zip", sha256: "2".repeat(64) },
        "cannot be fetched .*connect",
      ],
      [outside, "its zip holds more than the folder DeclaredPlugin: \\.\\./"],
      [other, "its plugin\\.json states 1\\.4\\.1, the settings say 1\\.4\\.0"],
    ] as const) {
      const said = await restart({ install: [declared] });
      assert.match(said, new RegExp(`WARNING: plugin DeclaredPlugin .*${why}[^\\n]*; ${stays}`));
      assert.match(said, /is ready/);
      assert.ok(there("only-in-1.1.0.txt") && active());
    }
  });

  it("do not replace a newer one that a person installed", async () => {
    fs.rmSync(site.path("state", "plugins", NAME, ".source"));
    const described = site.path("state", "plugins", NAME, "plugin.json");
    fs.writeFileSync(described, fs.readFileSync(described, "utf8").replace("1.1.0", "1.9.0"));
    const said = await restart({ install: [await zip("1.5.0", plugin("1.5.0"))] });
    assert.match(said, /WARNING: plugin DeclaredPlugin 1\.5\.0: a newer one was installed by hand/);
    assert.match(said, /the one that is there stays: 1\.9\.0/);
  });

  it("that break Matomo are switched off by the settings, without a shell in the pod", async () => {
    const broken = site.path("state", "plugins", NAME, "config");
    fs.mkdirSync(broken);
    fs.writeFileSync(path.join(broken, "config.php"), "<?php throw new Exception('on purpose');\n");
    site.configure({});
    assert.equal((await site.layout()).status, 0);
    const failed = await site.install();
    assert.equal(failed.status, 1, "it breaks Matomo");
    const said = await restart({ disabled: [NAME, "NoSuchPlugin"] });
    assert.match(said, /switched off by the settings: DeclaredPlugin\n/);
    assert.ok(!active() && there("plugin.json"));
    await site.stopWeb();
    await site.startWeb();
    assert.equal((await site.http("GET", "http://matomo:8082/index.php")).status, 200);
    assert.match(await restart({ disabled: [NAME] }), /^install: Matomo \S+ is ready\s*$/);
  });
});
