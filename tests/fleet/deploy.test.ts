/** `preview` and `up` on two stacks of which one fails. */
import assert from "node:assert/strict";
import { type FleetBench, type FleetResult, sharedBench, stackFiles } from "./bench";

describe("fleet preview and up", () => {
  let bench: FleetBench;
  let firstUp: FleetResult;

  before(async function () {
    this.timeout(300_000);
    ({ bench, firstUp } = await sharedBench());
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

  it("writes nothing into the checkout, and no password anywhere", async () => {
    assert.deepEqual(await stackFiles(), bench.filesBefore);
    const passwords = Object.values(await bench.site.passwords());
    const printed = `${firstUp.stdout}\n${firstUp.stderr}`;
    assert.deepEqual(
      passwords.filter((password) => printed.includes(password)),
      [],
    );
  });

  it("exits 0 when nothing is wrong", async () => {
    const { stdout, exitCode } = await bench.run("preview", "liberty");
    assert.equal(exitCode, 0, stdout);
  });
});
