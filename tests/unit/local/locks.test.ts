/** Whose locks on a stack are given up: those of ended processes of this machine, and no others. */
import * as assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { releaseDeadLocks } from "../../../local/locks";

describe("locks", () => {
  let backend: string;
  let folder: string;

  beforeEach(() => {
    backend = fs.mkdtempSync(path.join(os.tmpdir(), "locks-"));
    folder = path.join(backend, ".pulumi", "locks", "organization", "matomo", "local");
    fs.mkdirSync(folder, { recursive: true });
  });

  afterEach(() => fs.rmSync(backend, { recursive: true }));

  const lock = (name: string, pid: number, hostname = os.hostname()) =>
    fs.writeFileSync(path.join(folder, `${name}.json`), JSON.stringify({ pid, hostname }));

  it("gives up those of ended processes alone", async () => {
    const ended = spawnSync("true").pid;
    lock("ended", ended);
    lock("running", process.pid);
    lock("elsewhere", ended, "another-machine");
    fs.writeFileSync(path.join(folder, "unknown.json"), "{}");
    await releaseDeadLocks(backend);
    assert.deepEqual(fs.readdirSync(folder), ["elsewhere.json", "running.json", "unknown.json"]);
  });

  it("does without any lock", async () => {
    fs.rmSync(folder, { recursive: true });
    await releaseDeadLocks(backend);
    await releaseDeadLocks(path.join(backend, "none"));
  });
});
