/** What a command asks on a terminal, and what comes of each answer. */
import assert from "node:assert/strict";
import { type Live, titles } from "../api/harness";
import { within } from "../waits";
import { FleetBench, sharedBench } from "./bench";

const HOST = "matomo.liberty.example.com";
const RESTORE = /Restore newest into liberty.*\s+Type yes to go on: /;
const REPLACE = new RegExp(`${HOST} is serving visitors.*\\s+Type ${HOST} to go on: `);

describe("a command on a terminal", () => {
  let bench: FleetBench;

  before(async () => {
    ({ bench } = await sharedBench());
  });

  const restore = (...answers: [RegExp, string][]) =>
    bench.onTerminal(answers, "restore", "liberty", "--from", "newest");

  async function assertUntouched(work: () => Promise<unknown>): Promise<void> {
    const web = async () =>
      (await bench.site.get("deployment", "matomo")).metadata!.resourceVersion;
    const before_ = await web();
    await work();
    assert.equal(await web(), before_);
  }

  it("comes with colours, without where NO_COLOR says so, and redraws no line in CI", async () => {
    const args = ["status", "liberty", "--no-drift"];
    // On a simulated node nobody answers what it asks in the database's pod.
    const live = new FleetBench(bench.site, bench.stacks, {}, { accepted: {}, mariadb: "12.0.2" });
    const shownWith = async (env: NodeJS.ProcessEnv) =>
      (await live.onTerminalWith({ TERM: "xterm", ...env }, [], ...args)).shown;
    const redraws = (shown: string) => {
      const [, ...codes] = shown.split("\u001b[");
      return codes.some((code) => !/^[\d;]*m/.test(code));
    };
    const colored = await shownWith({});
    const starts = ["\u001b[31m", "\u001b[32m"]; // red, green
    assert.ok(
      starts.some((start) => colored.includes(`${start}WRONG`) || colored.includes(`${start}well`)),
      colored,
    );
    assert.ok(redraws(colored), colored);
    const plain = await shownWith({ NO_COLOR: "1" });
    assert.match(plain, /liberty +(WRONG|well)/);
    assert.ok(!plain.includes("\u001b["), plain);
    const inCi = await shownWith({ CI: "true" });
    assert.ok(!redraws(inCi), inCi);
  });

  for (const [what, answers, code, said] of [
    ["no", [[RESTORE, "no\r"]], 1, /liberty: nothing was touched/],
    [
      "yes, and another host name",
      [
        [RESTORE, "yes\r"],
        [REPLACE, "yes\r"],
      ],
      1,
      /nothing was touched/,
    ],
    ["Ctrl-C", [[RESTORE, "\x03"]], 130, /\sfleet: interrupted\s/],
    ["Ctrl-D", [[RESTORE, "\x04"]], 130, /\sfleet: interrupted\s/],
  ] as [string, [RegExp, string][], number, RegExp][]) {
    it(`answered with ${what}, touches nothing`, () =>
      assertUntouched(async () => {
        const { shown, exitCode } = await restore(...answers);
        assert.equal(exitCode, code, shown);
        assert.match(shown, said);
      }));
  }

  it("answered as it was asked to, goes on", async () => {
    const isRestore = ({ metadata }: Live) => metadata!.name!.startsWith("matomo-restore-");
    const jobs = async () => (await bench.site.list("jobs")).filter(isRestore);
    const before_ = titles(await jobs());
    const { shown, exitCode } = await restore([RESTORE, "yes\r"], [REPLACE, `${HOST}\r`]);
    assert.equal(exitCode, 0, shown);
    const [job, ...more] = (await jobs()).filter((one) => !before_.includes(titles([one])[0]));
    assert.deepEqual(more, []);
    const { env } = job.spec.template.spec.containers[0];
    assert.ok(env.some(({ name, value }: Live) => name === "RESTORE_CONFIRM" && value === HOST));
    // Its status is written after the pod is ready, with which the command ends.
    const deployment = ["deployment/matomo", "-n", "matomo", within("rolloutEnds")];
    await bench.site.kubectl("rollout", "status", ...deployment);
  });

  it("is asked by an up before it deploys", () =>
    assertUntouched(async () => {
      const { shown, exitCode } = await bench.onTerminal(
        [[/Deploy 1 stack: nothing to change\?\s+Type yes to go on: /, "no\r"]],
        ...["up", "liberty"],
      );
      assert.equal(exitCode, 1, shown);
      assert.match(shown, /Nothing was touched\./);
    }));

  it("is none of credentials', which are shown there", async () => {
    const { shown, exitCode } = await bench.onTerminal([], "credentials", "liberty");
    assert.equal(exitCode, 0, shown);
    assert.ok(shown.includes((await bench.site.secret("matomo"))["matomo-password"]));
  });
});
