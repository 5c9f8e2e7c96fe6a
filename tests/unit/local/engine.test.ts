/**
 * The engine's environment and the stacks' settings files, with a `pulumi` that is a shell script
 * which logs how it was called.
 */
import * as assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { parse, stringify } from "yaml";
import { openEngine, type Engine, type EngineOptions } from "../../../local/engine";
import { installedPulumi } from "../../../local/engine-path";

describe("engine", () => {
  const before = { ...process.env };
  let folder: string;
  let project: string;
  let state: string;

  /** Puts a `pulumi` of this version on PATH, whose `stack init` makes what the real one does. */
  function fakePulumi(version = "v3.255.0"): void {
    const script = [
      "#!/bin/sh",
      `[ "$1" = version ] && { echo ${version}; exit; }`,
      `echo "$@" >>${folder}/calls`,
      `[ "$1 $2" = "stack init" ] || exit 0`,
      `mkdir -p ${state}/backend/.pulumi/stacks/shop && touch ${state}/backend/.pulumi/stacks/shop/$3.json`,
      `echo "encryptionsalt: made-here" >${state}/stacks/Pulumi.$3.yaml`,
    ].join("\n");
    fs.mkdirSync(path.join(folder, "bin"), { recursive: true });
    fs.writeFileSync(path.join(folder, "bin", "pulumi"), script, { mode: 0o755 });
    process.env.PATH = `${folder}/bin:/usr/bin:/bin`;
  }

  const calls = () => fs.readFileSync(`${folder}/calls`, "utf8").trim().split("\n");
  const open = (options: EngineOptions = {}): Promise<Engine> =>
    openEngine(state, { project, ...options });

  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "engine-"));
    project = path.join(folder, "project");
    state = path.join(folder, "state");
    fs.mkdirSync(project);
    fs.writeFileSync(path.join(project, "Pulumi.yaml"), "name: shop\nruntime: nodejs\n");
    process.env.PULUMI_HOME = path.join(folder, "user-home");
    fakePulumi();
  });

  afterEach(() => {
    process.env = { ...before };
    fs.rmSync(folder, { recursive: true });
  });

  it("keeps home, backend and passphrase to itself", async () => {
    const { env } = await open();
    assert.equal(env.PULUMI_HOME, path.join(state, "pulumi"));
    assert.equal(env.PULUMI_BACKEND_URL, `file://${state}/backend?metadata=skip`);
    assert.equal(env.MATOMO_LOCAL_KUBECONFIG, path.join(state, "kubeconfig"));
    assert.match(env.PULUMI_CONFIG_PASSPHRASE!, /^[\w-]{43}$/);
    assert.equal(fs.statSync(state).mode & 0o777, 0o700);
    assert.equal(fs.statSync(path.join(state, "passphrase")).mode & 0o777, 0o600);
    assert.ok(
      fs.statSync(path.join(env.PULUMI_HOME!, "logs")).isFile(),
      "the engine can log to it",
    );
  });

  it("makes the passphrase once, also for two runs at the same time", async () => {
    const engines = await Promise.all([open(), open(), open()]);
    const passphrases = new Set(engines.map(({ env }) => env.PULUMI_CONFIG_PASSPHRASE));
    assert.equal(passphrases.size, 1);
    assert.ok(passphrases.has((await open()).env.PULUMI_CONFIG_PASSPHRASE));
  });

  it("reads the stack's settings from a copy with the caller's over them", async () => {
    const config = { "shop:size": "1Gi", "shop:cluster": { doks: "a" } };
    fs.writeFileSync(path.join(project, "Pulumi.a.yaml"), stringify({ config }));
    const engine = await open();
    await engine.pulumi(["up", "--yes"], {
      stack: "a",
      config: { "shop:cluster": { context: "b" } },
    });
    const file = path.join(state, "stacks", "Pulumi.a.yaml");
    assert.deepEqual(parse(fs.readFileSync(file, "utf8")), {
      config: { "shop:size": "1Gi", "shop:cluster": { context: "b" } },
    });
    assert.deepEqual(calls(), [
      `stack init a --no-select --cwd ${state}/stacks`,
      `up --yes --stack a --config-file ${file}`,
    ]);
    assert.deepEqual(fs.readdirSync(project).sort(), ["Pulumi.a.yaml", "Pulumi.yaml"]);
  });

  it("makes a stack once and forgets the settings of the run before", async () => {
    const engine = await open();
    await engine.pulumi(["preview"], { stack: "a", config: { "shop:size": "1Gi" } });
    await engine.pulumi(["preview"], { stack: "a" });
    assert.equal(calls().filter((call) => call.startsWith("stack init")).length, 1);
    const file = path.join(state, "stacks", "Pulumi.a.yaml");
    assert.deepEqual(parse(fs.readFileSync(file, "utf8")), { config: {} });
  });

  it("leaves the team's key out of the copy", async () => {
    const keys = { encryptionsalt: "v1:x", secretsprovider: "awskms://x", encryptedkey: "x" };
    fs.writeFileSync(path.join(project, "Pulumi.a.yaml"), stringify({ ...keys, config: {} }));
    const file = await (await open()).stackFile("a");
    assert.deepEqual(parse(fs.readFileSync(file, "utf8")), { config: {} });
  });

  it("names no settings file to a command that reads none", async () => {
    const engine = await open();
    await engine.pulumi(["stack", "output"], { stack: "a" });
    assert.equal(calls().at(-1), "stack output --stack a");
  });

  it("hands settings over in the file, not on the command line", async () => {
    const engine = await open();
    await engine.pulumi(["up"], { stack: "a", config: { "shop:smtp": "hunter2" } });
    assert.ok(!calls().join().includes("hunter2"));
  });

  for (const [version, usable] of [
    ["v3.254.9", false],
    ["v2.300.0", false],
    ["v3.255.0", true],
    ["v3.300.1-alpha.1", true],
    ["nonsense", false],
  ] as const) {
    it(`${usable ? "uses" : "does not use"} an installed pulumi ${version}`, async () => {
      fakePulumi(version);
      assert.equal(await installedPulumi(), usable);
    });
  }

  it("does without an installed pulumi", async () => {
    assert.equal(await installedPulumi({ PATH: "/nowhere" }), false);
  });

  describe("stand-ins", () => {
    const names = ["digitalocean", "random"].map((name) => `pulumi-resource-${name}`);
    /** What the engine finds on PATH for each provider. */
    async function found(options: EngineOptions = {}) {
      const { env } = await open(options);
      return names.map((name) => {
        const folders = env.PATH!.split(path.delimiter);
        const file = folders
          .map((each) => path.join(each, name))
          .find((each) => fs.existsSync(each));
        return file && fs.realpathSync(file);
      });
    }
    const standIns = (when = "missing") =>
      names.map((name) => path.join(state, "pulumi", `stand-ins-${when}`, name));

    it("are used for providers that are not installed", async () => {
      assert.deepEqual(await found(), standIns());
    });

    it("are not used for one that is installed as a plugin", async () => {
      const plugin = path.join(folder, "user-home", "plugins", "resource-random-v4.21.2");
      fs.mkdirSync(plugin, { recursive: true });
      assert.deepEqual(await found(), [standIns()[0], undefined]);
    });

    it("are not used for one that is on PATH", async () => {
      const installed = path.join(folder, "bin", names[1]);
      fs.writeFileSync(installed, "", { mode: 0o755 });
      assert.deepEqual(await found(), [standIns()[0], fs.realpathSync(installed)]);
    });

    it("are used over installed ones where a test must not reach a real account", async () => {
      fs.writeFileSync(path.join(folder, "bin", names[0]), "", { mode: 0o755 });
      assert.deepEqual(await found({ standIns: "always" }), standIns("always"));
    });

    it("give way to a provider that was installed since", async () => {
      await found();
      fs.writeFileSync(path.join(folder, "bin", names[0]), "", { mode: 0o755 });
      assert.equal((await found())[0], fs.realpathSync(path.join(folder, "bin", names[0])));
    });
  });
});
