/**
 * A backup that is proven and does not get off-site: its Job fails, and so does the command that makes one;
 * what waits for a proven one goes on, and says so.
 */
import assert from "node:assert/strict";
import { Bench } from "../incidents/cluster/bench";
import { stateOffsite } from "../offsite";
import { OFFSITE } from "../scenarios";
import { within } from "../waits";
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

  it("comes back into a namespace that was emptied, by one command", async () => {
    const passwords = await bench.site.passwords();
    await bench.site.kubectl("delete", "namespace", "matomo", within("podGone"));
    const here = await bench.run("restore", "personal", "--from", "newest", "--yes");
    assert.equal(here.exitCode, 2);
    assert.match(here.stderr, /its backup volume neither; allowed: --from offsite/);
    const unasked = await bench.run("restore", "personal", "--from", "offsite");
    assert.equal(unasked.exitCode, 2);
    assert.match(unasked.stderr, /Nothing of personal .* Make it anew.*\n?.*say --yes/);
    assert.equal(
      await bench.site
        .kubectl("get", "namespace", "-o", "name")
        .then((all) => all.includes("matomo")),
      false,
    );
    const { exitCode, stderr } = await bench.run(
      "restore",
      "personal",
      "--from",
      "offsite",
      "--yes",
    );
    assert.equal(exitCode, 0, stderr);
    assert.deepEqual(await bench.site.passwords(), passwords);
    const [restored] = (await bench.site.list("jobs")).filter(({ metadata }) =>
      metadata!.name!.startsWith("matomo-restore-"),
    );
    const { initContainers, containers } = restored.spec.template.spec;
    assert.deepEqual(
      [...initContainers, ...containers].map(({ name }: { name: string }) => name),
      ["offsite", "restore"],
    );
    assert.equal(await bench.readyPods("web"), 1);
    const preview = await bench.json("preview", "personal");
    assert.deepEqual(Object.keys(preview.stacks[0].counts), ["same"]);
  });
});
