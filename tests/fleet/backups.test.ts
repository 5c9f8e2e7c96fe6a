/** `backups`: what is on the volume, and away with what was named, once that was told, and told again. */
import assert from "node:assert/strict";
import { type FleetBench, sharedBench } from "./bench";
import { LogServer, volumeLines } from "./log-server";
import { WaitingCronJob } from "./waiting-cron-job";

const HOST = "matomo.liberty.example.com";
const OLD = "2020-01-01T030000Z";
const NEWEST = "2020-01-02T030000Z";
const DUMP = "matomo-2019.sql.gz";

describe("fleet backups", () => {
  let bench: FleetBench;
  let waiting: WaitingCronJob;
  const logs = new LogServer();

  before(async () => {
    ({ bench } = await sharedBench());
    waiting = new WaitingCronJob(bench.site, "matomo-backup");
    await waiting.start();
    await logs.start(bench.site);
  });
  after(async () => {
    logs.stop();
    await waiting?.stop();
  });

  beforeEach(() => logs.say("list", volumeLines([OLD, NEWEST], [DUMP])));

  const start = (...words: string[]) => bench.start({}, "backups", ...words);
  /** A command that only looks at the volume. */
  async function looks(...words: string[]) {
    const command = start(...words);
    await waiting.ended(command, "list");
    const { exitCode, stdout, stderr } = await command;
    return { exitCode, stdout: String(stdout), stderr: String(stderr) };
  }
  /** Words of the Job that a command removes by. */
  async function removes(command: ReturnType<typeof start>, left: string): Promise<string[]> {
    logs.say("remove", left);
    await waiting.ended(command, "list");
    const pod = await waiting.ended(command, "remove");
    const { exitCode, stderr } = await command;
    assert.equal(exitCode, 0, String(stderr));
    const jobs = await bench.site.list("jobs");
    assert.ok(!jobs.some(({ metadata }) => metadata!.name!.includes("-remove-")));
    return pod.spec.containers[0].command.slice(2);
  }

  it("lists both kinds, and what the volume holds", async () => {
    const { exitCode, stdout } = await looks("liberty");
    assert.equal(exitCode, 0, stdout);
    assert.match(stdout, new RegExp(`^${OLD} `, "m"));
    assert.match(stdout, new RegExp(`^${DUMP} +300 B +2020-01-01`, "m"));
    assert.match(
      stdout,
      /40 B of backups, 300 B of what is none; 1000 B of 2\.0 KiB free on the backup volume/,
    );
  });

  it("deletes a proven one once it was told twice", async () => {
    const unasked = await looks("delete", "liberty", OLD);
    assert.equal(unasked.exitCode, 2);
    assert.match(unasked.stderr, new RegExp(`${OLD}  20 B\n.*say --yes`));
    const once = await looks("delete", "liberty", OLD, "--yes");
    assert.equal(once.exitCode, 2);
    assert.match(once.stderr, new RegExp(`1 of them is a proven.*\n.*say --confirm ${HOST} too`));
    const told = start("delete", "liberty", OLD, DUMP, "--yes", "--confirm", HOST);
    assert.deepEqual(await removes(told, volumeLines([NEWEST])), [OLD, DUMP]);
    assert.match(
      String((await told).stdout),
      new RegExp(`removed ${OLD}, ${DUMP}\n20 B of backups`),
    );
  });

  it("deletes what is no backup once it was told", async () => {
    const told = start("delete", "liberty", DUMP, "--yes", "--json");
    assert.deepEqual(await removes(told, volumeLines([OLD, NEWEST])), [DUMP]);
    const { removed, backups, others } = JSON.parse(String((await told).stdout));
    assert.deepEqual([removed, backups.length, others], [[DUMP], 2, []]);
  });

  it("asks on a terminal, and asks again", async () => {
    const told = bench.onTerminal(
      [
        [new RegExp(`${OLD} [^]*Type yes to go on: `), "yes\r"],
        [new RegExp(`nobody can make them again\\.\\s+Type ${HOST} to`), "yes\r"],
      ],
      ...["backups", "delete", "liberty", OLD],
    );
    await waiting.ended(told, "list");
    const { exitCode, shown } = await told;
    assert.equal(exitCode, 1, shown);
    assert.match(shown, /nothing was removed/);
  });

  it("never deletes the newest proven one, nor what is not there, whatever it was told", async () => {
    const sure = ["--yes", "--confirm", HOST];
    const newest = await looks("delete", "liberty", OLD, NEWEST, ...sure);
    assert.equal(newest.exitCode, 2);
    assert.match(newest.stderr, new RegExp(`${NEWEST} is the newest proven backup`));
    const unknown = await looks("delete", "liberty", "matomo-2018", ...sure);
    assert.equal(unknown.exitCode, 2);
    assert.match(unknown.stderr, new RegExp(`found matomo-2018; allowed: ${OLD}, .*${DUMP}`));
    logs.say("list", volumeLines([], [DUMP]));
    const only = await looks("delete", "liberty", DUMP, ...sure);
    assert.equal(only.exitCode, 2);
    assert.match(only.stderr, /no proven backup of liberty.*only copy.*fleet -- backup liberty/);
    const wrong = await bench.run(
      "backups",
      "delete",
      "liberty",
      OLD,
      "--confirm",
      "other.example.com",
    );
    assert.equal(wrong.exitCode, 2);
    assert.match(
      wrong.stderr,
      new RegExp(`--confirm: found "other\\.example\\.com"; allowed: ${HOST}`),
    );
  });

  it("prunes what is older than is kept, and what is no backup only when told", async () => {
    const own = start("prune", "liberty", "--yes", "--confirm", HOST);
    assert.deepEqual(await removes(own, volumeLines([NEWEST], [DUMP])), [OLD]);
    const all = start("prune", "liberty", "--others", "--yes", "--confirm", HOST);
    assert.deepEqual(await removes(all, volumeLines([NEWEST])), [OLD, DUMP]);
    const none = await looks("prune", "liberty", "--keep-days", "36500");
    assert.equal(none.exitCode, 0, none.stderr);
    assert.match(none.stdout, /liberty: nothing to remove/);
  });

  it("says what the pod said when it could not remove", async () => {
    logs.say("remove", "backup: ERROR: a backup is running on this volume. Nothing was removed.");
    const told = start("delete", "liberty", DUMP, "--yes");
    await waiting.ended(told, "list");
    const pod = await waiting.podOf(told);
    await waiting.kubelet.finish(pod, "Failed");
    const { exitCode, stderr } = await told;
    assert.equal(exitCode, 1);
    assert.match(String(stderr), /cannot be removed: .*a backup is running.*Nothing was removed/);
  });
});
