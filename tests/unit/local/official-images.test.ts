/** Where the site's images come from, with a `docker` that is a shell script and logs its calls. */
import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { text } from "node:stream/consumers";
import { imageKey, packImage } from "../../../local/node/images";
import { chooseImages, importedFile } from "../../../local/node/official-images";

const NAMES = ["matomo:5.5.1-apache", "mariadb:12.0.2"];

describe("images of a node's site", () => {
  const before = { ...process.env };
  let folder: string;

  /** A Docker that has what was fetched; `pull` is what it does to fetch. */
  function fakeDocker(pull: string): void {
    const script = [
      "#!/bin/sh",
      `echo "$@" >>${folder}/calls`,
      'for name; do :; done; file="$(dirname "$0")/$(echo "$name" | tr : -)"',
      'case "$2" in',
      '  inspect) [ -e "$file" ] && echo "sha256:of-$name" ;;',
      `  pull) ${pull} ;;`,
      '  save) echo "archive of $name" ;;',
      "esac",
    ];
    fs.mkdirSync(path.join(folder, "bin"));
    fs.writeFileSync(path.join(folder, "bin", "docker"), script.join("\n"), { mode: 0o755 });
  }

  const choose = () => chooseImages(folder, NAMES, () => undefined);
  const calls = () => fs.readFileSync(path.join(folder, "calls"), "utf8").trim().split("\n");
  const imported = (keys: Record<string, string>) => {
    fs.mkdirSync(path.dirname(importedFile(folder)), { recursive: true });
    fs.writeFileSync(importedFile(folder), JSON.stringify(keys));
  };

  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "images-"));
    delete process.env.MATOMO_DIST;
    process.env.PATH = `${folder}/bin:/usr/bin:/bin`;
  });

  afterEach(() => {
    process.env = { ...before };
    fs.rmSync(folder, { recursive: true });
  });

  const official = NAMES.map((name) => ({ name, id: `sha256:of-${name}` }));

  it("are the official ones where Docker can fetch them, and it fetches each once", async () => {
    fakeDocker('touch "$file"');
    assert.deepEqual(await choose(), { images: official });
    assert.deepEqual(await choose(), { images: official });
    assert.equal(calls().filter((call) => call.startsWith("image pull")).length, 2);
  });

  it("come from Docker as it saves them, and by its digest", async () => {
    fakeDocker('touch "$file"');
    const [matomo] = official;
    let archive = "";
    await packImage(matomo, async (stream) => (archive = await text(stream)));
    assert.equal(archive, "archive of matomo:5.5.1-apache\n");
    assert.equal(await imageKey(matomo), matomo.id);
  });

  it("are stand-ins where Docker fetches nothing, with its own words", async () => {
    fakeDocker('echo "dial tcp: lookup registry: no such host" >&2; exit 1');
    assert.deepEqual(await choose(), {
      refusal: "Docker could not fetch the official ones (dial tcp: lookup registry: no such host)",
    });
  });

  it("are stand-ins without Docker", async () => {
    process.env.PATH = `${folder}/bin`;
    assert.deepEqual(await choose(), {
      refusal: "this machine has no Docker that could fetch the official ones",
    });
  });

  it("are stand-ins when MATOMO_DIST names a Matomo", async () => {
    fakeDocker('touch "$file"');
    process.env.MATOMO_DIST = folder;
    assert.deepEqual(await choose(), { refusal: "MATOMO_DIST names a Matomo" });
    assert.ok(!fs.existsSync(path.join(folder, "calls")));
  });

  it("stay what the cluster was made with", async () => {
    fakeDocker('touch "$file"');
    imported({ [NAMES[0]]: "0123abcd", [NAMES[1]]: "4567cdef" });
    assert.deepEqual(await choose(), { refusal: "as this cluster was made (npm run clean)" });
    imported(Object.fromEntries(official.map(({ name, id }) => [name, id])));
    assert.deepEqual(await choose(), { images: official });
    assert.ok(!fs.existsSync(path.join(folder, "calls")));
  });
});
