/** The generated configuration of the web pod, parsed as PHP, Apache and Matomo will. */
import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";
import {
  commonConfig,
  OWNED_CONFIG,
  phpIni,
  type RenderArgs,
  webConfig,
} from "../../../components/web-config";

const ARGS: RenderArgs = {
  hosts: ["matomo.example.com", "stats.example.org"],
  website: { name: 'A "quoted" & odd name', url: "https://www.example.com", timezone: "UTC" },
  database: { host: "matomo-mariadb", port: 3306, name: "matomo", prefix: "matomo_" },
  workers: 6,
  pages: 4,
  phpMemoryMib: 160,
  archivers: 2,
  archiverMemoryMib: 800,
  archiveSeconds: 2900,
  opcacheMib: 96,
  proxies: ["203.0.113.0/24", "2400:cb00::/32"],
  geoip: true,
  privacy: { anonymizeIp: 2, doNotTrack: true },
  plugins: { install: [], disabled: ["Slow"] },
  config: {},
};

/** Sections and keys of an ini file, as PHP's raw scanner sees simple ones. */
function parseIni(text: string): Record<string, string> {
  const values: Record<string, string> = {};
  let section = "";
  for (const line of text.split("\n")) {
    if (/^\s*(;|$)/.test(line)) continue;
    const header = /^\[(\w+)\]$/.exec(line);
    if (header) {
      section = `${header[1]}.`;
      continue;
    }
    const pair = /^([\w.]+) = (\S+)$/.exec(line);
    assert.ok(pair, `not a line of an ini file: ${line}`);
    assert.ok(!(section + pair[1] in values), `twice: ${pair[1]}`);
    values[section + pair[1]] = pair[2];
  }
  return values;
}

describe("configuration of the web pod", () => {
  it("gives PHP the memory that was computed, the seed's times and opcache", () => {
    const ini = parseIni(phpIni(ARGS));
    assert.equal(ini.memory_limit, "160M");
    assert.equal(ini.max_execution_time, "900");
    assert.equal(ini["opcache.memory_consumption"], "96");
    assert.equal(ini["zend.exception_ignore_args"], "On");
    assert.equal(ini.display_errors, "Off");
  });
  it("owns what Matomo would else raise past the container, or let a person break", () => {
    assert.deepEqual(parseIni(commonConfig(ARGS)), {
      "General.force_ssl": "1",
      "General.assume_secure_protocol": "1",
      "General.enable_browser_archiving_triggering": "0",
      "General.archiving_range_force_on_browser_request": "0",
      "General.enable_auto_update": "0",
      "General.enable_installer": "0",
      "General.minimum_memory_limit": "160",
      "General.minimum_memory_limit_when_archiving": "800",
    });
  });
  it("owns no key that the stack could state as well", () => {
    const owned = Object.keys(parseIni(commonConfig({ ...ARGS, geoip: false })));
    for (const name of owned) {
      const [section, key] = name.split(".");
      assert.ok(OWNED_CONFIG[section]?.includes(key), name);
    }
  });
  it("tells Matomo where nothing of the internet is reached", () => {
    const told = (geoip: boolean) =>
      parseIni(commonConfig({ ...ARGS, geoip }))["General.enable_internet_features"];
    assert.deepEqual([told(true), told(false)], [undefined, "0"]);
  });
  it("starts with the line that keeps an ini file's content to itself", () => {
    assert.match(commonConfig(ARGS), /^; <\?php exit; \?> DO NOT REMOVE THIS LINE\n/);
  });
  it("names workers and proxies to Apache", () => {
    const files = webConfig(ARGS);
    // A probe, the archive job and the state have one more each.
    assert.match(files["site.conf"], /^Define WORKERS 9$/m);
    assert.match(files["site.conf"], /^Define PAGES 4$/m);
    assert.match(files["site.conf"], /^Define TRACKERS 6$/m);
    assert.match(files["site.conf"], /^Define ARCHIVE_SECONDS 2900$/m);
    assert.match(files["site.conf"], /^Define ARCHIVE_MEMORY 800M$/m);
    assert.match(files["proxies.conf"], /^RemoteIPInternalProxy 203\.0\.113\.0\/24$/m);
    assert.match(files["proxies.conf"], /^RemoteIPInternalProxy 2400:cb00::\/32$/m);
  });
  it("tells install.php all it needs, and no secret", () => {
    const settings = JSON.parse(webConfig(ARGS)["settings.json"]);
    assert.deepEqual(settings.hosts, ARGS.hosts);
    assert.deepEqual(settings.website, ARGS.website);
    assert.deepEqual(settings.database, ARGS.database);
    assert.equal(settings.geoip, true);
    assert.deepEqual(settings.plugins, ARGS.plugins);
    assert.equal(settings.archivers, 2);
    assert.deepEqual(settings.privacy, ARGS.privacy);
    assert.equal(settings.forceSsl, true);
  });
  for (const name of ["apache.conf", "front.conf"]) {
    it(`defines everything that ${name} asks for, and includes only what is mounted`, () => {
      const file = path.resolve(__dirname, "../../../components/scripts", name);
      const text = fs.readFileSync(file, "utf8").replace(/^#.*$/gm, "");
      const files = webConfig(ARGS);
      for (const [, variable] of text.matchAll(/\$\{(\w+)\}/g)) {
        const defined =
          variable === "PHP_MODULE" || files["site.conf"].includes(`Define ${variable} `);
        assert.ok(defined, variable);
      }
      for (const [, included] of text.matchAll(/^\s*Include \/opt\/matomo\/config\/(\S+)$/gm)) {
        assert.ok(included in files, included);
      }
    });
  }
});
