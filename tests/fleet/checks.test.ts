/**
 * The pull request's checks on the real engine and a live stack: `check:preview`, then
 * `check:comment`, as the workflow calls them, on changes of the program that are fine, that break
 * a rule and that would replace a claim. The rendered comments are snapshots.
 */
import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { execa } from "execa";
import { CheckoutCopy } from "../checkout-copy";
import { type FleetBench, sharedBench } from "./bench";

const SNAPSHOTS = path.join(__dirname, "..", "snapshots", "comments");

/**
 * What does not hang on how far the engine had come when it refused: which of its errors came first,
 * and whether it had announced what depends on the claim.
 */
function untilRefused(comment: string): string {
  return comment
    .replace(/```text\n.*```/s, "```text\n(errors)\n```")
    .replace(/^- replace CronJob .*\n/gm, "")
    .replace(/\*\*\d\*\*/, "**(replaced)**")
    .replace(/\d replace, error/, "(replaced), error");
}

describe("a pull request's checks", () => {
  let bench: FleetBench;
  let copy: CheckoutCopy;
  const printed: string[] = [];

  before(async () => {
    ({ bench } = await sharedBench());
    copy = await CheckoutCopy.make();
  });

  after(() => copy?.remove());

  async function run(script: string, ...args: string[]) {
    const command = [...copy.command(`fleet/checks/${script}.ts`), ...args];
    const { exitCode, stdout, stderr } = await execa(process.execPath, command, {
      cwd: copy.folder,
      env: { ...bench.environment() },
      extendEnv: false,
      reject: false,
    });
    printed.push(stdout, stderr);
    return { exitCode, stdout, stderr };
  }

  /** Exit code of the preview, and the comment. */
  async function check(...stacks: string[]) {
    const report = path.join(copy.folder, "report.json");
    const { exitCode, stderr } = await run(
      "preview",
      ...stacks,
      "--stacks",
      bench.stacks,
      "--report",
      report,
    );
    assert.notEqual(exitCode, 2, stderr);
    printed.push(await fs.readFile(report, "utf8"));
    const comment = await run("post", "--report", report);
    assert.equal(comment.exitCode, 0, comment.stderr);
    return { exitCode, comment: `${comment.stdout.trim()}\n` };
  }

  async function matches(name: string, comment: string): Promise<void> {
    const file = path.join(SNAPSHOTS, `${name}.md`);
    if (process.env.UPDATE_SNAPSHOTS) await fs.writeFile(file, comment);
    assert.equal(comment, await fs.readFile(file, "utf8"));
  }

  it("pass a change that is fine, and say what it changes", async () => {
    const { exitCode, comment } = await copy.changed(
      "components/archive.ts",
      ["successfulJobsHistoryLimit: 1", "successfulJobsHistoryLimit: 2"],
      () => check("liberty"),
    );
    assert.equal(exitCode, 0, comment);
    await matches("fine", comment);
  });

  it("block a change that breaks a rule, with the fix", async () => {
    const { exitCode, comment } = await copy.changed(
      "components/web.ts",
      ['strategy: { type: "Recreate" }', 'strategy: { type: "RollingUpdate" }'],
      () => check("liberty"),
    );
    assert.equal(exitCode, 1);
    await matches("breaks-a-rule", comment);
  });

  it("block a change that would replace a claim, which stands in bold", async () => {
    const { exitCode, comment } = await copy.changed(
      "components/storage.ts",
      [
        'accessModes: ["ReadWriteOnce"]',
        'accessModes: [name === "backup" ? "ReadWriteOncePod" : "ReadWriteOnce"]',
      ],
      () => check("liberty"),
    );
    assert.equal(exitCode, 1);
    assert.match(
      comment,
      /PersistentVolumeClaim::backup"\nas it is currently marked for protection/,
    );
    await matches("replaces-a-claim", untilRefused(comment));
  });

  it("do not call a stack fine whose cluster is not there, and still judge its neighbour", async () => {
    const { exitCode, comment } = await check();
    assert.equal(exitCode, 1);
    assert.match(comment, /^\| liberty \| ✅ \| 0 \| 0 \| 0 \| 0 \| 0 \|$/m);
    assert.match(comment, /^\| yonks \| ❌ failed \|/m);
    assert.match(comment, /Unable to find cluster with name: nowhere/);
  });

  it("print and post no password, and no passphrase of the state", async () => {
    const passwords = Object.values(await bench.site.passwords());
    assert.ok(passwords.length > 3);
    const secrets = [...passwords, bench.environment().PULUMI_CONFIG_PASSPHRASE!];
    for (const secret of secrets) {
      assert.ok(!printed.join("\n").includes(secret), "a secret was printed");
      const encoded = Buffer.from(secret).toString("base64");
      assert.ok(!printed.join("\n").includes(encoded), "a secret was printed in base64");
    }
  });
});
