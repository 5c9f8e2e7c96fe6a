/** What `fleet init` refuses before there is a file. */
import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import * as os from "node:os";
import * as path from "node:path";
import { afterEach, beforeEach, describe, it } from "mocha";
import { UsageError } from "../../../fleet/errors";
import { openFleet } from "../../../fleet/fleet";
import { fleetProgram } from "../../../fleet/program";

describe("fleet init", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await fs.mkdtemp(path.join(os.tmpdir(), "init-"));
  });
  afterEach(() => fs.rm(folder, { recursive: true }));

  async function init(stacks: string): Promise<void> {
    const { signal } = new AbortController();
    const signals = { interrupted: signal, stopEngine: signal };
    const program = await fleetProgram(async (command, work) => {
      await work(openFleet(command, signals));
    });
    const site = ["--domain=a.example.com", "--email=a@example.com", "--cluster=paris"];
    await program.parseAsync(["init", "paris", ...site, `--stacks=${stacks}`], { from: "user" });
  }

  for (const [title, below] of [
    ["a folder of stacks without a Pulumi.yaml", ""],
    ["one below a folder that has it, where the engine would write", "stacks"],
  ]) {
    it(`refuses ${title}, and writes nothing`, async () => {
      const stacks = path.join(folder, below);
      await fs.mkdir(stacks, { recursive: true });
      if (below) await fs.writeFile(path.join(folder, "Pulumi.yaml"), "name: matomo\n");
      const message = `--stacks: found "${stacks}"; allowed: a folder with a Pulumi.yaml`;
      await assert.rejects(init(stacks), new UsageError(message));
      assert.deepEqual(await fs.readdir(stacks), []);
    });
  }
});
