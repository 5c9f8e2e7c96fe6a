/**
 * A backup that is proven and does not get off-site: its Job fails, and so does the command that makes one;
 * what waits for a proven one goes on, and says so.
 */
import assert from "node:assert/strict";
import { Bench } from "../incidents/cluster/bench";
import { stateOffsite } from "../offsite";
import { OFFSITE } from "../scenarios";
import { benchOf, type FleetBench, ownSite } from "./bench";
import { LogServer } from "./log-server";
import { Volumes } from "./volumes";
import { WaitingCronJob } from "./waiting-cron-job";

const FAULT =
  "offsite: ERROR: the bucket of s3:https://fra1.example.com/b/p does not exist: make it";
const WARNING = `the backup is proven on its volume, but not off-site: ${FAULT}`;

describe("a backup that does not get off-site", () => {
  const logs = new LogServer();
  let bench: FleetBench;
  let waiting: WaitingCronJob;

  before(async () => {
    const site = await ownSite("personal");
    await stateOffsite(site, OFFSITE);
    bench = await benchOf(site);
    const { exitCode, stdout, stderr } = await bench.run("up", "personal", "--yes");
    assert.equal(exitCode, 0, stdout + stderr);
    waiting = new WaitingCronJob(site, "matomo-backup");
    await waiting.start();
    await logs.start(site);
    logs.say("offsite", FAULT);
  });
  after(async () => {
    logs.stop();
    await waiting?.stop();
    await bench?.site.close();
  });

  /** Runs a command whose backup is proven, and fails off-site. */
  async function run(...words: string[]) {
    const running = bench.start({}, ...words);
    await waiting.ended(running, "offsite", "Failed");
    const { exitCode, stdout, stderr } = await running;
    return { exitCode, stdout: String(stdout), all: `${String(stdout)}\n${String(stderr)}` };
  }
  it("fails the command that makes one, without another try", async () => {
    const { exitCode, stdout, all } = await run("backup", "personal");
    assert.equal(exitCode, 1, all);
    assert.ok(stdout.startsWith(`personal FAILED: ${FAULT}`), all);
    const [{ status }, ...more] = await bench.site.list("jobs");
    assert.deepEqual([more.length, status.failed], [0, 1]);
  });

  it("is the proven one that a newer version waits for", async () => {
    await bench.settings({ "matomo:matomo": { version: "5.5.2" } });
    const { exitCode, stdout, all } = await run("up", "personal", "--yes");
    assert.equal(exitCode, 0, all);
    assert.ok(stdout.includes(`warning: ${WARNING}`), all);
    const { spec } = await bench.site.get("deployment", "matomo");
    assert.equal(spec.template.spec.containers[0].image, "matomo:5.5.2-apache");
  });

  it("is the one with which a volume that was lost is repaired", async () => {
    const lost = await new Volumes(bench.site).lose("matomo-backup");
    const from = ["--from=cronjob/matomo-backup", "-n", "matomo"];
    await bench.site.kubectl("create", "job", "night", ...from);
    const told = new RegExp(`code = NotFound desc = volume "${lost}" does not exist`);
    await new Bench(bench.site, "matomo").event("FailedAttachVolume", told);
    const { exitCode, stdout, all } = await run("repair-volume", "personal", "backup", "--yes");
    assert.equal(exitCode, 0, all);
    assert.ok(stdout.includes(`personal ok: ${WARNING}`), all);
    const again = await bench.run("repair-volume", "personal", "backup", "--yes");
    assert.match(again.stdout, /^matomo-backup HEALTHY\n/);
    assert.equal(again.exitCode, 0, again.stderr);
  });
});
