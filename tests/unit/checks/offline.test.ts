/**
 * `npm run check:offline` as a fork's pull request gets it: a copy of the program with one change,
 * judged by a process that has neither an engine nor a credential.
 */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { execa } from "execa";
import type { Report } from "../../../fleet/checks/report";
import { CheckoutCopy } from "../../checkout-copy";

const STACKS = readdirSync(path.resolve(__dirname, "../../.."))
  .flatMap((file) => /^Pulumi\.(.+)\.yaml$/.exec(file)?.[1] ?? [])
  .filter((name) => name !== "local")
  .sort();

describe("check:offline", () => {
  let copy: CheckoutCopy;

  before(async () => {
    copy = await CheckoutCopy.make();
  });

  after(() => copy?.remove());

  /** Runs the command in the copy: no engine on its PATH, no setting and no home of a person's. */
  const check = (...args: string[]) =>
    execa(process.execPath, [...copy.command("fleet/checks/offline.ts"), ...args], {
      cwd: copy.folder,
      env: { PATH: path.join(copy.folder, "nothing"), HOME: copy.folder },
      extendEnv: false,
      reject: false,
    });

  it("passes the program as it is, every stack of it", async () => {
    const { exitCode, stdout, stderr } = await check("--json");
    assert.equal(exitCode, 0, stderr);
    const { stacks } = JSON.parse(stdout) as Report;
    assert.deepEqual(
      stacks.map(({ stack }) => stack),
      STACKS,
    );
    for (const { objects, violations } of stacks) {
      assert.ok(objects > 40, "the whole program was rendered");
      assert.deepEqual(violations, []);
    }
  });

  it("fails a program that breaks a rule, with the object and the fix", async () => {
    const { exitCode, stdout } = await copy.changed(
      "components/web.ts",
      ['strategy: { type: "Recreate" }', 'strategy: { type: "RollingUpdate" }'],
      () => check(),
    );
    assert.equal(exitCode, 1);
    for (const stack of STACKS)
      assert.match(stdout, new RegExp(`✗ ${stack}: \\d+ objects, 1 viol`));
    assert.match(stdout, /rwo-workload-recreates \(mandatory\): Deployment matomo\/matomo/);
    assert.match(stdout, /Recreate/, "says what to do");
  });

  it("fails the one stack whose settings are at fault, and still judges the others", async () => {
    const report = path.join(copy.folder, "report.json");
    const { exitCode } = await copy.changed(
      "Pulumi.yonks.yaml",
      ["matomo:domain: matomo.yonks.example.com", "matomo:domain: Not A Host"],
      () => check("--report", report),
    );
    assert.equal(exitCode, 1);
    const { stacks } = JSON.parse(await fs.readFile(report, "utf8")) as Report;
    const errors = Object.fromEntries(stacks.map(({ stack, error }) => [stack, error]));
    assert.match(errors.yonks ?? "", /matomo:domain: found "Not A Host"; allowed: a host name/);
    assert.deepEqual([errors.liberty, errors.personal], [undefined, undefined]);
  });

  it("says so when a setting is encrypted, and prints no part of it", async () => {
    const { exitCode, stdout } = await copy.changed(
      "Pulumi.liberty.yaml",
      ["matomo:email: admin@liberty.example.com", "matomo:email:\n    secure: v1:cipher"],
      () => check("liberty"),
    );
    assert.equal(exitCode, 1);
    assert.match(stdout, /matomo:email: found an encrypted value; allowed: clear text/);
    assert.doesNotMatch(stdout, /cipher/);
  });

  it("refuses a stack that has no file, and a folder without stacks", async () => {
    const unknown = await check("nowhere");
    assert.equal(unknown.exitCode, 2);
    assert.match(unknown.stderr, /no stack "nowhere" .*liberty, local, personal, yonks/);
    const empty = await check("--stacks", path.join(copy.folder, "policy"));
    assert.equal(empty.exitCode, 2);
    assert.match(empty.stderr, /no stack in .*policy/);
  });
});
