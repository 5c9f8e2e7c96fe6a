/**
 * The workflow files are judged by actionlint. Their shell lines are the node tier's to judge, which has
 * a shellcheck (tests/node/scripts/lint.test.ts).
 */
import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { execa } from "execa";
import { actionlint } from "../../local/artefacts";
import { checkout } from "../../local/paths";
import { ensureArtefact, isBuilt } from "../../local/toolchain";

describe("actionlint", () => {
  let command: string;

  before(async () => {
    // A test's time is not made for a build, nor is the network there for it.
    assert.ok(await isBuilt(actionlint), "actionlint: npx tsx local/build.ts api builds it");
    command = path.join(await ensureArtefact(actionlint), "actionlint");
  });

  const lint = (file: string, input?: string) =>
    execa(command, ["-no-color", "-pyflakes=", "-shellcheck=", file], {
      cwd: checkout,
      input,
      reject: false,
    });

  it("finds nothing in the workflows", async () => {
    const folder = path.join(checkout, ".github", "workflows");
    const files = await fs.readdir(folder);
    assert.ok(files.length >= 3);
    for (const file of files) {
      const { exitCode, stdout, stderr } = await lint(path.join(folder, file));
      assert.equal(exitCode, 0, `${stdout}\n${stderr}`);
    }
  });

  it("would: a secret where there is none to read, an unknown need", async () => {
    const file = path.join(checkout, ".github", "workflows", "pull-request.yml");
    const text = await fs.readFile(file, "utf8");
    for (const [from, to, says] of [
      ["if: env.HAS_CREDENTIALS == 'true'", "if: secrets.X == 'true'", /context "secrets"/],
      ["needs: preview", "needs: previews", /"previews" .*not exist/],
    ] as const) {
      assert.ok(text.includes(from), from);
      const { exitCode, stdout } = await lint("-", text.replace(from, to));
      assert.equal(exitCode, 1);
      assert.match(stdout, says);
    }
  });
});
