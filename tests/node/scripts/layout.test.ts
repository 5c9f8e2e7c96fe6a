/**
 * The layout before everything else: which Matomo the image holds, and whether it may replace the one
 * that the volume was written by (decision 1, incident 20).
 */
import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";
import { spawnSync } from "node:child_process";
import { DIST, Site, WEB_USER } from "./site";

/** Ways to write the constant of core/Version.php: Matomo's own, and what else PHP takes. */
const FORMS: Record<string, string> = {
  "before 5.1.0": "const VERSION = '5.2.2';",
  "since 5.1.0": "public const VERSION = '5.2.2';",
  "as final": "final public const VERSION = '5.2.2';",
  "as public, then final": "public final const VERSION = '5.2.2';",
  "with a type": "public const string VERSION = '5.2.2';",
  "with double quotes": 'public const VERSION = "5.2.2";',
  "without spaces": "public const VERSION='5.2.2';",
  "over two lines": "public const VERSION =\n        '5.2.2';",
  "beside other constants":
    "public const MIN_VERSION = '1.0.0';\n    const VERSION = '5.2.2', MAJOR_VERSION = 5;",
  "below one in a comment": "// const VERSION = '1.0.0';\n    public const VERSION = '5.2.2';",
};
/** What states no version. */
const NONE: Record<string, string> = {
  "is empty": "public const VERSION = '';",
  "is another constant's": "public const MAJOR_VERSION = '5';",
  "stands in a comment": "// public const VERSION = '5.2.2';\n    /* const VERSION = '5.2.2'; */",
  "is no text": "public const VERSION = self::OTHER;",
};

function source(constant: string): string {
  return `<?php\n\nnamespace Piwik;\n\nfinal class Version\n{\n    ${constant}\n}\n`;
}

describe("layout", () => {
  const site = new Site();
  before(async () => {
    await site.start();
    site.code = path.join(site.sandbox.dir, "code");
    fs.cpSync(DIST, site.code, { recursive: true });
  });
  after(() => site.dispose());
  beforeEach(() => {
    imageStates(FORMS["since 5.1.0"]);
    fs.rmSync(site.path("state"), { recursive: true });
    site.sandbox.volume("state", WEB_USER);
  });

  function imageStates(constant: string): void {
    fs.writeFileSync(path.join(site.code, "core/Version.php"), source(constant));
  }
  function onVolume(file: string, text: string): void {
    fs.mkdirSync(path.dirname(site.path("state", file)), { recursive: true });
    fs.writeFileSync(site.path("state", file), text);
    const owner = `${WEB_USER}:${WEB_USER}`;
    assert.equal(spawnSync("chown", ["-R", owner, site.path("state")]).status, 0);
  }
  /** Everything on the volume with its time of change, which a file that came and went shows, too. */
  function volume(): string[] {
    const all = fs.readdirSync(site.path("state"), { recursive: true }) as string[];
    return [".", ...all.sort()].map((name) => {
      const { mtimeMs, size } = fs.statSync(site.path("state", name));
      return `${name} ${mtimeMs} ${size}`;
    });
  }
  async function lays(): Promise<string> {
    const { status, output } = await site.layout();
    assert.equal(status, 0, output);
    return output;
  }
  async function refuses(words: RegExp): Promise<void> {
    const { status, output } = await site.layout();
    assert.equal(status, 1, output);
    assert.match(output, words);
  }

  for (const [form, constant] of Object.entries(FORMS)) {
    it(`reads the image's version as it is written ${form}`, async () => {
      imageStates(constant);
      assert.match(await lays(), /Matomo 5\.2\.2 laid out/);
      // The next start, after the install has noted the same version.
      onVolume(".matomo/version", "5.2.2\n");
      await lays();
      onVolume(".matomo/version", "5.2.3\n");
      await refuses(/Matomo 5\.2\.2 would replace 5\.2\.3, a downgrade/);
    });
    it(`reads the old site's version as it is written ${form}`, async () => {
      onVolume("core/Version.php", source(constant));
      await lays();
      imageStates("public const VERSION = '5.2.1';");
      await refuses(/Matomo 5\.2\.1 would replace 5\.2\.2, a downgrade/);
    });
  }

  for (const [how, constant] of Object.entries(NONE)) {
    it(`refuses an image whose version ${how}, with the volume untouched`, async () => {
      onVolume("plugins/CoreHome/plugin.json", "{}");
      onVolume(".matomo/version", "5.2.2\n");
      const before = volume();
      imageStates(constant);
      await refuses(/ERROR: the image's \S+\/core\/Version\.php states no version/);
      assert.deepEqual(volume(), before);
    });
  }

  it("refuses a Matomo that has not been tried, with the volume untouched", async () => {
    imageStates("public const VERSION = '6.0.0-b1';");
    onVolume("config/config.ini.php", "[General]\n");
    const before = volume();
    const { status, output } = await site.layout();
    assert.equal(status, 1);
    assert.match(
      output,
      /holds Matomo 6\.0\.0-b1, .* versions before 6 alone.*Nothing was changed/,
    );
    assert.deepEqual(volume(), before);
  });
  it("leaves it to the database where the old site states no version", async () => {
    onVolume("core/Version.php", source(NONE["is empty"]));
    assert.match(await lays(), /WARNING: \S+\/core\/Version\.php states no version/);
  });

  it("touches nothing of a volume that a newer version has written", async () => {
    onVolume("plugins/CoreHome/plugin.json", "{}");
    onVolume(".matomo/version", "5.2.3\n");
    const folders = () => volume().map((line) => line.split(" ")[0]);
    const before = folders();
    await refuses(/a downgrade/);
    assert.deepEqual(folders(), before);
  });
});
