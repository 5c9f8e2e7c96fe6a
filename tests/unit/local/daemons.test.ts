/** Detached processes: started once, ended exactly, and never somebody else's. */
import * as assert from "node:assert/strict";
import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import {
  awaitDaemon,
  daemonNames,
  daemonPid,
  killDaemon,
  startDaemon,
  startTime,
  stopDaemon,
} from "../../../local/daemons";
import { eventually } from "../../waits";

const sleeper = { name: "sleeper", command: "sleep", args: ["600"] };

describe("daemons", () => {
  let folder: string;

  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "daemons-"));
  });

  afterEach(async () => {
    for (const name of daemonNames(folder)) {
      await stopDaemon(folder, name);
    }
    fs.rmSync(folder, { recursive: true });
  });

  const shell = (name: string, script: string) =>
    startDaemon(folder, { name, command: "sh", args: ["-c", script] });
  const logged = (name: string, text: string) =>
    fs.readFileSync(path.join(folder, `${name}.log`), "utf8").includes(text);

  it("starts one and leaves one that runs alone", () => {
    startDaemon(folder, sleeper);
    const pid = daemonPid(folder, "sleeper");
    assert.ok(pid);
    startDaemon(folder, sleeper);
    assert.equal(daemonPid(folder, "sleeper"), pid);
    assert.deepEqual(daemonNames(folder), ["sleeper"]);
  });

  it("ends it, and says whether it ran", async () => {
    startDaemon(folder, sleeper);
    const pid = daemonPid(folder, "sleeper")!;
    assert.equal(await stopDaemon(folder, "sleeper"), true);
    assert.equal(startTime(pid), undefined);
    assert.deepEqual(daemonNames(folder), []);
    assert.equal(await stopDaemon(folder, "sleeper"), false);
  });

  it("lets it tidy up before it ends", async () => {
    shell("tidy", "trap 'echo tidied; exit' TERM; echo ready; while :; do sleep 0.02; done");
    await awaitDaemon(folder, "tidy", async () => logged("tidy", "ready"));
    await stopDaemon(folder, "tidy");
    assert.ok(logged("tidy", "tidied"));
  });

  it("never ends a process that has the pid of one that is gone", async () => {
    const stranger = spawn("sleep", ["600"]);
    try {
      const pidFile = path.join(folder, "old.pid");
      fs.writeFileSync(pidFile, JSON.stringify({ pid: stranger.pid, started: "1" }));
      assert.equal(daemonPid(folder, "old"), undefined);
      assert.equal(await stopDaemon(folder, "old"), false);
      await killDaemon(folder, "old");
      assert.ok(startTime(stranger.pid!), "the stranger must still run");
    } finally {
      stranger.kill();
    }
  });

  it("starts anew what was killed", async () => {
    startDaemon(folder, sleeper);
    const pid = daemonPid(folder, "sleeper");
    await killDaemon(folder, "sleeper");
    assert.equal(daemonPid(folder, "sleeper"), undefined);
    startDaemon(folder, sleeper);
    assert.notEqual(daemonPid(folder, "sleeper"), pid);
  });

  it("says why one ended before it was ready", async () => {
    shell("broken", "echo 'bind: address already in use' >&2; exit 1");
    await assert.rejects(
      awaitDaemon(folder, "broken", async () => false),
      /^Error: broken ended at once; the end of its log:\nbind: address already in use/,
    );
  });

  it("says what one that is never ready logged", async () => {
    shell("slow", "echo waiting for etcd; exec sleep 600");
    await eventually("its log", () => logged("slow", "waiting for etcd\n"));
    await assert.rejects(
      awaitDaemon(folder, "slow", async () => false, 50),
      /^Error: slow was not ready after 0\.05 s; the end of its log:\nwaiting for etcd/,
    );
  });

  it("says that a command does not exist", async () => {
    startDaemon(folder, { name: "none", command: "/nowhere/etcd", args: [] });
    await assert.rejects(
      awaitDaemon(folder, "none", async () => false),
      /none ended at once.*\n.*ENOENT/,
    );
  });

  it("keeps pid files and logs from other users", () => {
    startDaemon(folder, sleeper);
    for (const file of ["sleeper.pid", "sleeper.log"]) {
      assert.equal(fs.statSync(path.join(folder, file)).mode & 0o777, 0o600, file);
    }
  });
});
