/**
 * The cache of built artefacts, with a `go` that is a shell script: what is rebuilt when, and that
 * neither an interrupted build nor two runs at once leave anything wrong behind.
 */
import * as assert from "node:assert/strict";
import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import type { Artefact } from "../../../local/artefacts";
import { UserError } from "../../../local/errors";
import { artefactKey, ensureArtefact, ensureBundle, isBuilt } from "../../../local/toolchain";
import { eventually } from "../../waits";

const checkout = path.resolve(__dirname, "../../..");
const artefact: Artefact = {
  name: "thing",
  title: "a thing",
  command: { package: "example.com/thing", output: "thing", ldflags: "-X a.b=1" },
  links: ["other-name"],
};

describe("toolchain", () => {
  let folder: string;
  let cache: string;
  let sources: string;
  const searchPath = process.env.PATH;

  /**
   * Puts a `go` on PATH that logs each build and then runs `build` in sh; $OUT is its output. Modules
   * are downloaded by `download`.
   */
  function fakeGo(build: string, version = "go1.26.0", download = ":"): void {
    const script = [
      "#!/bin/sh",
      `case "$1" in`,
      `env) echo ${version};;`,
      `list) ${download};;`,
      `build) while [ "$1" != -o ]; do shift; done; OUT=$2`,
      `echo build >>${folder}/builds`,
      build,
      ";;",
      "esac",
    ].join("\n");
    fs.mkdirSync(path.join(folder, "bin"), { recursive: true });
    fs.writeFileSync(path.join(folder, "bin", "go"), script, { mode: 0o755 });
    process.env.PATH = `${folder}/bin:/usr/bin:/bin`;
  }

  const builds = () =>
    fs.existsSync(`${folder}/builds`)
      ? fs.readFileSync(`${folder}/builds`, "utf8").trim().split("\n").length
      : 0;

  /** Another process that ensures the artefact. */
  function otherRun() {
    const program = [
      `const { ensureArtefact } = require(${JSON.stringify(`${checkout}/local/toolchain.ts`)});`,
      `ensureArtefact(${JSON.stringify(artefact)}, ${JSON.stringify({ cache, sources })})`,
      ".then(console.log);",
    ].join("\n");
    return spawn(process.execPath, ["--require", "tsx/cjs", "--eval", program], {
      cwd: checkout,
      stdio: ["ignore", "pipe", "inherit"],
    });
  }

  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "toolchain-"));
    cache = path.join(folder, "cache");
    sources = path.join(folder, "sources");
    fs.mkdirSync(path.join(sources, "thing"), { recursive: true });
    fs.writeFileSync(path.join(sources, "thing", "go.mod"), "module thing\n");
    fs.writeFileSync(path.join(sources, "thing", "go.sum"), "sums\n");
    fakeGo("printf '#!/bin/sh\\n' >$OUT; chmod +x $OUT");
  });

  afterEach(() => {
    process.env.PATH = searchPath;
    fs.rmSync(folder, { recursive: true });
  });

  it("builds once, with every name that the command has", async () => {
    assert.equal(await isBuilt(artefact, { cache, sources }), false);
    const built = await ensureArtefact(artefact, { cache, sources });
    assert.deepEqual(fs.readdirSync(built).sort(), ["other-name", "thing"]);
    assert.equal(fs.readlinkSync(path.join(built, "other-name")), "thing");
    assert.equal(await isBuilt(artefact, { cache, sources }), true);
    assert.equal(await ensureArtefact(artefact, { cache, sources }), built);
    assert.equal(builds(), 1);
  });

  it("needs no Go for what is built", async () => {
    const built = await ensureArtefact(artefact, { cache, sources });
    process.env.PATH = "/nowhere";
    assert.equal(await ensureArtefact(artefact, { cache, sources }), built);
  });

  it("is another artefact with another pin, sum, source, flag or name", async () => {
    const source = path.join(sources, "thing");
    const keys = [await artefactKey(artefact, source)];
    for (const file of ["go.mod", "go.sum", "main.go"]) {
      fs.appendFileSync(path.join(source, file), "more\n");
      keys.push(await artefactKey(artefact, source));
    }
    const command = { ...artefact.command!, ldflags: "-X a.b=2" };
    keys.push(await artefactKey({ ...artefact, command }, source));
    keys.push(await artefactKey({ ...artefact, links: [] }, source));
    assert.equal(new Set(keys).size, keys.length);
  });

  it("leaves nothing that looks complete when a build fails, and says why", async () => {
    fakeGo("echo half >$OUT; echo 'undefined: x' >&2; exit 1");
    const lines: string[] = [];
    const report = (line: string) => lines.push(line);
    await assert.rejects(ensureArtefact(artefact, { cache, sources, report }), /undefined: x/);
    assert.deepEqual(fs.readdirSync(cache), []);
    assert.deepEqual(lines, ["undefined: x"]);
  });

  /** A download that fails so often before it works. */
  const failing = (times: number) =>
    `echo try >>${folder}/tries; [ $(wc -l <${folder}/tries) -gt ${times} ] || ` +
    `{ echo 'go: ${BUSY}' >&2; exit 1; }`;

  it("tries a failed download again, and says so", async () => {
    fakeGo("printf '#!/bin/sh\\n' >$OUT", undefined, failing(2));
    const lines: string[] = [];
    const report = (line: string) => lines.push(line);
    await ensureArtefact(artefact, { cache, sources, report, patience: { pauses: [0, 0.01] } });
    assert.deepEqual(
      lines,
      [0, 0.01].map(
        (pause) =>
          `a download failed and is tried again in ${pause} s: example.com/dep@v1.0.0: ${BUSY}`,
      ),
    );
  });

  it("gives up a download that never comes: what it was, and that a second run goes on", async () => {
    fakeGo("printf '#!/bin/sh\\n' >$OUT", undefined, failing(3));
    await assert.rejects(
      ensureArtefact(artefact, { cache, sources, patience: { pauses: [0, 0] } }),
      {
        constructor: UserError,
        message:
          `Could not fetch example.com/dep@v1.0.0 in 3 tries (${BUSY}): ` +
          "what came is kept, and the same command goes on from there once its server answers.",
      },
    );
    assert.deepEqual(fs.readdirSync(cache), []);
    assert.equal(builds(), 0);
  });

  it("takes no other failure for a download's: wrong pins are told at once", async () => {
    const words = "main.go:3:8: missing go.sum entry for module providing package example.com/dep";
    fakeGo("", undefined, `echo try >>${folder}/tries; echo '${words}' >&2; exit 1`);
    await assert.rejects(ensureArtefact(artefact, { cache, sources }), /missing go\.sum entry/);
    assert.equal(fs.readFileSync(`${folder}/tries`, "utf8"), "try\n");
  });

  it("builds anew after a build that was killed, and clears up behind it", async () => {
    fakeGo("echo half >$OUT; echo $$ >$OUT.pid; exec sleep 600");
    const run = otherRun();
    fs.mkdirSync(cache);
    const half = await eventually("half a build", () => {
      const partial = fs.readdirSync(cache).find((name) => name.includes(".partial-"))!;
      const pid = path.join(cache, partial, "output", "thing.pid");
      return fs.readFileSync(pid, "utf8").endsWith("\n") && pid;
    });
    const gone = new Promise((resolve) => run.on("exit", resolve));
    run.kill("SIGKILL");
    process.kill(Number(fs.readFileSync(half, "utf8")), "SIGKILL");
    await gone;
    assert.equal(await isBuilt(artefact, { cache, sources }), false);
    // As the lock of a dead run is taken over only after a while, here it counts as old already.
    fs.utimesSync(path.join(cache, "thing.lock"), 0, 0);

    fakeGo("printf '#!/bin/sh\\n' >$OUT");
    const built = await ensureArtefact(artefact, { cache, sources });
    assert.deepEqual(fs.readdirSync(cache), [path.basename(built)]);
    assert.equal(fs.readFileSync(path.join(built, "thing"), "utf8"), "#!/bin/sh\n");
  });

  it("builds once for two runs at the same time", async () => {
    fakeGo("sleep 0.3; printf '#!/bin/sh\\n' >$OUT");
    const outputs = await Promise.all(
      [otherRun(), otherRun()].map(async (run) => {
        let text = "";
        run.stdout.on("data", (data) => (text += data));
        await new Promise((resolve) => run.on("close", resolve));
        return text.trim();
      }),
    );
    assert.equal(outputs[0], outputs[1]);
    assert.ok(fs.existsSync(path.join(outputs[0], "thing")));
    assert.equal(builds(), 1);
  });

  it("puts the commands of a bundle side by side, and again for another version", async () => {
    const bundle = (text: string) =>
      ensureBundle([artefact], ([folder]) => ({ thing: `${text} ${folder}` }), { cache, sources });
    const first = await bundle("starts");
    assert.deepEqual(fs.readdirSync(first).sort(), ["other-name", "thing"]);
    assert.match(fs.readFileSync(path.join(first, "thing"), "utf8"), /^starts .*thing/);
    assert.equal(await bundle("starts"), first);
    assert.notEqual(await bundle("starts otherwise"), first);
    fs.appendFileSync(path.join(sources, "thing", "go.mod"), "more\n");
    assert.notEqual(await bundle("starts"), first);
  });

  it("says what to do without Go", async () => {
    process.env.PATH = "/nowhere";
    await assert.rejects(ensureArtefact(artefact, { cache, sources }), {
      message: /^No Go on PATH.*install Go 1\.26 or newer.*--context NAME$/,
    });
  });

  for (const version of ["go1.25.9", "go1.9", "devel"]) {
    it(`refuses Go ${version} and names it`, async () => {
      fakeGo("", version);
      await assert.rejects(ensureArtefact(artefact, { cache, sources }), {
        message: new RegExp(`^Go 1\\.26 or newer is needed, found ${version}: install`),
      });
    });
  }
});

/** What Go says of a proxy that is out of breath. */
const BUSY =
  "example.com/dep@v1.0.0: reading http://127.0.0.1/example.com/dep/@v/v1.0.0.zip: " +
  "503 Service Unavailable";
