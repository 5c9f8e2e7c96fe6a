/** `preview` and `up` on two stacks of which one fails. */
import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { parseDocument } from "yaml";
import { type FleetBench, type FleetResult, sharedBench, stackFiles, type Ending } from "./bench";

describe("fleet preview and up", () => {
  let bench: FleetBench;
  let init: FleetResult;
  let firstPreview: FleetResult;
  let firstUp: FleetResult;

  before(async () => {
    ({ bench, init, firstPreview, firstUp } = await sharedBench());
  });

  it("of a stack that init made need nothing else: its words lead on", () => {
    assert.equal(init.exitCode, 0, init.stderr);
    assert.match(init.stdout, /Pulumi\.liberty\.yaml\nNext: npm run fleet -- up liberty$/);
    // What it says next is what deploys the site, below.
  });

  it("shows what the first up would make before anything is there", () => {
    assert.equal(firstPreview.exitCode, 0, firstPreview.stderr);
    const [{ counts, violations }] = JSON.parse(firstPreview.stdout).stacks;
    const [{ counts: made }] = JSON.parse(firstUp.stdout).stacks;
    assert.deepEqual(counts, made);
    // What depends on passwords that are not made yet is said to be judged by up, and no more than that.
    for (const { message, mandatory } of violations) {
      assert.equal(mandatory, false, message);
      assert.match(message, /`pulumi up` will judge it once it is known/);
    }
  });

  it("deploys one stack while its neighbour fails, and says both", async () => {
    assert.equal(firstUp.exitCode, 1, firstUp.stderr);
    const { stacks } = JSON.parse(firstUp.stdout);
    const [liberty, yonks] = stacks;
    assert.equal(liberty.stack, "liberty");
    assert.equal(liberty.ok, true, firstUp.stdout);
    assert.ok(liberty.counts.create > 40, firstUp.stdout);
    assert.deepEqual(liberty.violations, []);
    assert.equal(yonks.ok, false);
    assert.match(yonks.error, /Unable to find cluster with name: nowhere/);
    const claims = await bench.site.list("persistentvolumeclaims");
    assert.equal(claims.length, 3);
  });

  it("prints one table and why a stack failed, exit 1", async () => {
    const { stdout, exitCode } = await bench.run("preview", "--all");
    assert.equal(exitCode, 1);
    assert.match(stdout, /^STACK +RESULT +CREATE +UPDATE +REPLACE +DELETE +SAME +RULES +S$/m);
    assert.match(stdout, /^liberty +ok +0 +0 +0 +0 +\d+ +0 /m);
    assert.match(stdout, /^yonks +FAILED /m);
    assert.match(stdout, /^ {2}.*Unable to find cluster with name: nowhere/m);
    assert.ok(!stdout.includes("\u001b"), "colours without a terminal");
  });

  it("names in one line what this machine lacks, and the command that brings it", async () => {
    const empty = await fs.mkdtemp(path.join(bench.site.folder, "backend-"));
    const bin = await fs.mkdtemp(path.join(bench.site.folder, "bin-"));
    await fs.symlink(process.execPath, path.join(bin, "node"));
    const rows: [NodeJS.ProcessEnv, string][] = [
      [{ PATH: bin }, "curl -fsSL https://get.pulumi.com | sh"],
      [{ PULUMI_BACKEND_URL: "" }, "pulumi login"],
      [{ PULUMI_BACKEND_URL: `file://${empty}` }, "pulumi stack init liberty"],
      [{ PULUMI_CONFIG_PASSPHRASE: undefined, PULUMI_CONFIG_PASSPHRASE_FILE: undefined }, "export"],
      [{ PULUMI_CONFIG_PASSPHRASE: "another" }, "encrypted"],
    ];
    for (const [env, words] of rows) {
      for (const command of ["preview", "drift"]) {
        const { stdout, exitCode } = await bench.runWith({ env }, command, "liberty");
        assert.equal(exitCode, 1, stdout);
        const [, said] = /^liberty\n {2}(.*)$/m.exec(stdout) ?? [];
        assert.ok(said?.includes(words) && stdout.endsWith(said), stdout);
      }
    }
  });

  it("writes nothing into the checkout, and no password anywhere", async () => {
    assert.deepEqual(await stackFiles(), bench.filesBefore);
    const passwords = Object.values(await bench.site.passwords());
    const printed = `${firstUp.stdout}\n${firstUp.stderr}`;
    assert.deepEqual(
      passwords.filter((password) => printed.includes(password)),
      [],
    );
  });

  it("prints what was done until it was interrupted, exit 130", async () => {
    const ending: Ending = { words: "yonks", signal: "SIGINT" };
    const { stdout, stderr, exitCode } = await bench.runWith(
      { env: { FLEET_ENDING: JSON.stringify(ending) } },
      ...["preview", "liberty", "yonks", "--parallel=1"],
    );
    assert.equal(exitCode, 130, stderr);
    assert.match(stdout, /^liberty +ok .*\nyonks +FAILED .*\n\nyonks\n {2}interrupted$/m);
  });

  it("says what the program warns of, and that is no failure", async () => {
    const file = path.join(bench.stacks, "Pulumi.liberty.yaml");
    const before = await fs.readFile(file, "utf8");
    try {
      const stack = parseDocument(before);
      stack.setIn(["config", "matomo:storage", "database"], "100Gi");
      await fs.writeFile(file, String(stack));
      const { stdout, exitCode } = await bench.run("preview", "liberty");
      assert.equal(exitCode, 0, stdout);
      assert.match(
        stdout,
        /^ {2}warning: matomo:storage\.backup: found "20Gi", which has no room/m,
      );
    } finally {
      await fs.writeFile(file, before);
    }
  });

  it("exits 0 when nothing is wrong", async () => {
    const { stdout, exitCode } = await bench.run("preview", "liberty");
    assert.equal(exitCode, 0, stdout);
  });
});
