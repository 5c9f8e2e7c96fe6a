/**
 * What only programs of a whole Debian can judge: PHP itself reads every script, as the pods will (the
 * unit tier has only a parser of its grammar), and shellcheck all shell, that of the workflows too.
 */
import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";
import { execa } from "execa";
import { actionlint } from "../../../local/artefacts";
import { checkout } from "../../../local/paths";
import { ensureTool, shellcheck } from "../../tools";
import { ensureArtefact } from "../../../local/toolchain";
import { Sandbox } from "./sandbox";

const SCRIPTS = path.join(checkout, "components", "scripts");
const WORKFLOWS = path.join(checkout, ".github", "workflows");

describe("php -l", () => {
  const sandbox = new Sandbox();
  before(() => sandbox.start());
  after(() => sandbox.dispose());

  for (const file of fs.readdirSync(SCRIPTS).filter((name) => name.endsWith(".php"))) {
    it(file, async () => {
      const mounts = { "/scripts": `${SCRIPTS}:ro` };
      const command = ["php", "-l", `/scripts/${file}`];
      const { status, output } = await sandbox.run({ image: "matomo", user: 33, mounts, command });
      assert.equal(status, 0, output);
    });
  }
});

describe("shellcheck", () => {
  const command = path.join(__dirname, "shellcheck", "run.sh");
  let env: NodeJS.ProcessEnv;

  before(async () => {
    const folder = await ensureTool(shellcheck);
    env = { ...process.env, SHELLCHECK_ROOT: path.join(folder, "root") };
  });

  const check = (args: string[], input?: string) =>
    execa(command, args, { cwd: SCRIPTS, env, input, reject: false });

  it("has nothing to say about the pods' scripts", async () => {
    const shell = fs.readdirSync(SCRIPTS).filter((name) => name.endsWith(".sh"));
    const { exitCode, stdout, stderr } = await check(["--external-sources", ...shell]);
    assert.equal(exitCode, 0, `${stdout}\n${stderr}`);
  });

  it("would: an unquoted variable", async () => {
    const { exitCode, stdout } = await check(["-"], "#!/bin/sh\nrm $1\n");
    assert.equal(exitCode, 1);
    assert.match(stdout, /SC2086/);
  });

  describe("through actionlint, in the workflows", () => {
    let linter: string;

    before(async () => {
      linter = path.join(await ensureArtefact(actionlint), "actionlint");
    });

    const lint = (args: string[], input?: string) =>
      execa(linter, ["-no-color", "-pyflakes=", `-shellcheck=${command}`, ...args], {
        cwd: checkout,
        env,
        input,
        reject: false,
      });

    it("has nothing to say", async () => {
      const files = fs.readdirSync(WORKFLOWS).map((file) => path.join(WORKFLOWS, file));
      const { exitCode, stdout, stderr } = await lint(files);
      assert.equal(exitCode, 0, `${stdout}\n${stderr}`);
    });

    it("would: an unquoted word", async () => {
      const text = fs.readFileSync(path.join(WORKFLOWS, "pull-request.yml"), "utf8");
      const broken = text.replace('"$GITHUB_STEP_SUMMARY"', "$GITHUB_STEP_SUMMARY");
      assert.notEqual(broken, text);
      const { exitCode, stdout } = await lint(["-"], broken);
      assert.equal(exitCode, 1);
      assert.match(stdout, /shellcheck reported issue.*SC2086/);
    });
  });
});
