/** `npm run preview -- STACK`, with a `pulumi` that is a shell script which logs how it was called. */
import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { execa } from "execa";
import { checkout } from "../../../local/paths";
import { previewWithPack } from "../../../local/policy-pack";

describe("npm run preview", () => {
  const { PATH } = process.env;
  let folder: string;

  /** Puts a `pulumi` of this version on PATH, before all that is there. */
  function fakePulumi(version: string): void {
    const script = [
      "#!/bin/sh",
      `[ "$1" = version ] && { echo ${version}; exit; }`,
      `pwd -P >>${folder}/calls`,
      `for word in "$@"; do echo "$word" >>${folder}/calls; done`,
    ].join("\n");
    fs.writeFileSync(path.join(folder, "pulumi"), script, { mode: 0o755 });
    process.env.PATH = `${folder}:${PATH}`;
  }

  const calls = () => fs.readFileSync(path.join(folder, "calls"), "utf8").trim().split("\n");

  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "preview-"));
  });

  afterEach(() => {
    process.env.PATH = PATH;
    fs.rmSync(folder, { recursive: true });
  });

  it("runs an installed pulumi in the checkout, with the pack's folder", async () => {
    fakePulumi("v3.255.0");
    const command = ["launch/run.cjs", "local/preview.ts", "liberty", "--diff"];
    await execa(process.execPath, command, { cwd: checkout });
    const pack = path.join(checkout, "policy");
    assert.deepEqual(calls(), [
      fs.realpathSync(checkout),
      ...["preview", "--policy-pack", pack, "--diff", "--stack", "liberty"],
    ]);
    assert.ok(fs.existsSync(path.join(pack, "PulumiPolicy.yaml")));
  });

  it("runs what npm start made with the pack's executable where there is no such pulumi", async () => {
    fakePulumi("v3.254.9");
    const ran: [string, string[]][] = [];
    const pulumi = async (stack: string, args: string[]) => ran.push([stack, args]);
    await previewWithPack("liberty", ["--diff"], async () => ({ pulumi }));
    const pack = path.join(checkout, "policy", "run-policy");
    assert.deepEqual(ran, [["liberty", ["preview", "--policy-pack", pack, "--diff"]]]);
    assert.ok(fs.statSync(pack).mode & 0o100, "the pack can be executed");
    assert.equal(fs.existsSync(path.join(folder, "calls")), false);
  });
});
