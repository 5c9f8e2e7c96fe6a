/**
 * `npm run check:offline` as a fork's pull request gets it: a copy of the program with one change,
 * judged by a process that has neither an engine nor a credential.
 */
import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import * as os from "node:os";
import * as path from "node:path";
import { execa } from "execa";
import type { Report } from "../../../fleet/checks/report";

const checkout = path.resolve(__dirname, "../../..");
const PARTS = ["components", "fleet", "policy", "package.json", "tsconfig.json", "Pulumi.yaml"];
const STACKS = ["liberty", "local", "personal", "yonks"];

describe("check:offline", function () {
  this.timeout(60_000);
  let folder: string;

  before(async () => {
    folder = await fs.mkdtemp(path.join(os.tmpdir(), "matomo-offline-"));
    const files = STACKS.map((stack) => `Pulumi.${stack}.yaml`);
    for (const part of [...PARTS, ...files]) {
      await fs.cp(path.join(checkout, part), path.join(folder, part), { recursive: true });
    }
    await fs.symlink(path.join(checkout, "node_modules"), path.join(folder, "node_modules"));
  });

  after(() => fs.rm(folder, { recursive: true, force: true }));

  /** Runs the command in the copy: no engine on its PATH, no setting and no home of a person's. */
  async function check(...args: string[]) {
    const tsx = path.join(folder, "node_modules/tsx/dist/cli.mjs");
    const command = [tsx, path.join(folder, "fleet/checks/offline.ts"), ...args];
    return execa(process.execPath, command, {
      cwd: folder,
      env: { PATH: path.join(folder, "nothing"), HOME: folder },
      extendEnv: false,
      reject: false,
    });
  }

  /** Runs the command while a file of the copy is changed. */
  async function checkWith(file: string, from: string, to: string, ...args: string[]) {
    const changed = path.join(folder, file);
    const text = await fs.readFile(changed, "utf8");
    assert.ok(text.includes(from), `${file} has no ${from}`);
    await fs.writeFile(changed, text.replace(from, to));
    try {
      return await check(...args);
    } finally {
      await fs.writeFile(changed, text);
    }
  }

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
    const { exitCode, stdout } = await checkWith(
      "components/web.ts",
      'strategy: { type: "Recreate" }',
      'strategy: { type: "RollingUpdate" }',
    );
    assert.equal(exitCode, 1);
    for (const stack of STACKS)
      assert.match(stdout, new RegExp(`✗ ${stack}: \\d+ objects, 1 viol`));
    assert.match(stdout, /rwo-workload-recreates \(mandatory\): Deployment matomo\/matomo/);
    assert.match(stdout, /Recreate/, "says what to do");
  });

  it("fails the one stack whose settings are at fault, and still judges the others", async () => {
    const report = path.join(folder, "report.json");
    const { exitCode } = await checkWith(
      "Pulumi.yonks.yaml",
      "matomo:domain: matomo.yonks.example.com",
      "matomo:domain: Not A Host",
      "--report",
      report,
    );
    assert.equal(exitCode, 1);
    const { stacks } = JSON.parse(await fs.readFile(report, "utf8")) as Report;
    const errors = Object.fromEntries(stacks.map(({ stack, error }) => [stack, error]));
    assert.match(errors.yonks ?? "", /matomo:domain: found "Not A Host"; allowed: a host name/);
    assert.deepEqual(
      [errors.liberty, errors.local, errors.personal],
      [undefined, undefined, undefined],
    );
  });

  it("says so when a setting is encrypted, and prints no part of it", async () => {
    const { exitCode, stdout } = await checkWith(
      "Pulumi.liberty.yaml",
      "matomo:email: admin@liberty.example.com",
      "matomo:email:\n    secure: v1:cipher",
      "liberty",
    );
    assert.equal(exitCode, 1);
    assert.match(stdout, /matomo:email: found a secret; allowed: plain text/);
    assert.doesNotMatch(stdout, /cipher/);
  });

  it("refuses a stack that has no file, and a folder without stacks", async () => {
    const unknown = await check("nowhere");
    assert.equal(unknown.exitCode, 2);
    assert.match(unknown.stderr, /found "nowhere"; allowed: one of liberty, local/);
    const empty = await check("--cwd", path.join(folder, "policy"));
    assert.equal(empty.exitCode, 2);
    assert.match(empty.stderr, /found no Pulumi\.STACK\.yaml/);
  });
});
