/** The run of the tests: what names stand for, what is run again, and what the last page says. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { readEvents } from "../run/events";
import { removeLeftovers } from "../run/leftovers";
import { failedFiles, lastPage, type TierResult, totals } from "../run/page";
import { testFiles, tiers, wanted } from "../run/tiers";

describe("what tests a name stands for", () => {
  it("all, without a name, each file in one tier", () => {
    const all = wanted([]);
    assert.deepEqual(
      all.map(({ tier }) => tier.name),
      tiers.map(({ name }) => name),
    );
    assert.ok(all.every(({ files }) => files.length > 0));
  });

  it("a tier, a folder of one, a file of one, and each once", () => {
    const [unit] = wanted(["unit"]);
    assert.deepEqual(unit.files, testFiles(unit.tier));
    const [checks] = wanted(["tests/unit/checks"]);
    assert.ok(checks.files.length > 1 && checks.files.length < unit.files.length);
    const names = ["tests/unit/run.test.ts", "tests/unit/run.test.ts", "tests/api/drain.test.ts"];
    assert.deepEqual(
      wanted(names).map(({ tier, files }) => [tier.name, files]),
      [
        ["unit", ["tests/unit/run.test.ts"]],
        ["api", ["tests/api/drain.test.ts"]],
      ],
    );
  });

  it("a tier without what another one has of its folder; the folder with it", () => {
    const [node] = wanted(["node"]);
    assert.ok(node.files.length > 1 && !node.files.some((file) => file.includes("scripts")));
    assert.deepEqual(
      wanted(["tests/node"]).map(({ tier }) => tier.name),
      ["node", "scripts"],
    );
  });

  for (const name of ["units", "tests/unit/runn.test.ts", "tests/run/page.ts", ""]) {
    it(`nothing: "${name}" is refused, with what there is`, () => {
      assert.throws(() => wanted([name]), /^Error: no tests are called .*node, scripts/);
    });
  }

  it("has every test file of the checkout in a tier", () => {
    const tests = path.resolve(__dirname, "..");
    const names = fs.readdirSync(tests, { recursive: true, encoding: "utf8" });
    const files = names.filter((name) => name.endsWith(".test.ts")).map((n) => `tests/${n}`);
    assert.deepEqual(files.sort(), tiers.flatMap(testFiles).sort());
  });
});

describe("what a tier's process told", () => {
  it("is read up to where the process was killed", () => {
    const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), "events-")), "events");
    assert.deepEqual(readEvents(file), []);
    fs.writeFileSync(file, '{"event":"file","file":"a","ms":1}\n{"event":"en');
    assert.deepEqual(readEvents(file), [{ event: "file", file: "a", ms: 1 }]);
  });
});

// Elsewhere no process tells its environment.
if (process.platform === "linux") {
  describe("what a tier's process left behind", () => {
    it("is ended and taken away, and named; what is of another run stays", async () => {
      const made = (name: string) => fs.mkdtempSync(path.join(os.tmpdir(), name));
      const [folder, evidence, other] = [made("mt-"), made("evidence-"), made("mt-")];
      const memory = fs.mkdtempSync(`/dev/shm/${path.basename(folder)}-sandbox-`);
      const start = (env: Record<string, string>) => {
        const child = spawn("sleep", ["600"], { env: { PATH: process.env.PATH, ...env } });
        const ended = once(child, "exit");
        return { pid: child.pid!, child, ended };
      };
      const [direct, contained, others] = [
        start({ TMPDIR: folder }),
        start({ TEST_RUN: folder }),
        start({ TMPDIR: other }),
      ];
      try {
        const left = await removeLeftovers(folder, evidence);
        await Promise.all([direct.ended, contained.ended]);
        assert.deepEqual(
          left.sort(),
          [direct, contained].map(({ pid }) => `process ${pid}: sleep 600 `).sort(),
        );
        assert.deepEqual([folder, memory].filter(fs.existsSync), []);
        assert.equal(others.child.exitCode ?? others.child.signalCode, null);
        assert.ok(fs.existsSync(other));
      } finally {
        others.child.kill();
        for (const one of [folder, evidence, other, memory]) {
          fs.rmSync(one, { recursive: true, force: true });
        }
      }
    });
  });
}

describe("the last page", () => {
  const passed = (file: string, title: string, ms = 5) =>
    ({ event: "passed", file, title, ms }) as const;
  const failed = (file: string, title: string, error = "Error: no\n  at x") =>
    ({ event: "failed", file, title, ms: 5, error }) as const;
  const result = (more: Partial<TierResult>): TierResult => ({
    ...{ tier: "api", ms: 61_000, events: [], notRun: [], again: [], left: [] },
    ...more,
  });
  const page = (results: TierResult[]) => lastPage(results, [], []).join("\n");

  it("ends with the counts of all tiers", () => {
    const results = [
      result({ events: [passed("a", "one"), passed("a", "two")] }),
      result({ tier: "unit", events: [passed("b", "three"), failed("b", "four")] }),
    ];
    assert.deepEqual(totals(results), { passed: 3, failed: 1, flaky: 0 });
    assert.match(page(results), /\n3 passed, 1 failed$/);
    assert.match(page(results), / {2}1:01 {2}api: 2 passed, 0 failed\n/);
    assert.match(page(results), /\n1\) b: four\n {3}Error: no\n/);
  });

  it("names a file FLAKY that passed when it ran again, with its first error", () => {
    const again = [{ file: "a", events: [passed("a", "one"), passed("a", "two")], ok: true }];
    const flaky = result({ events: [passed("a", "one"), failed("a", "two")], again });
    assert.deepEqual(failedFiles(flaky), ["a"]);
    assert.deepEqual(totals([flaky]), { passed: 2, failed: 0, flaky: 1 });
    assert.match(page([flaky]), /\nFLAKY a: Error: no\n1 flaky: .*\n2 passed, 0 failed$/);
  });

  it("counts a file that failed twice once, by its first errors", () => {
    const again = [{ file: "a", events: [failed("a", "two", "Error: again")], ok: false }];
    const red = result({ events: [failed("a", "two")], again });
    assert.deepEqual(totals([red]), { passed: 0, failed: 1, flaky: 0 });
    assert.doesNotMatch(page([red]), /FLAKY|Error: again/);
  });

  it("has the failures of what files share, which cannot be run again, and keeps the rest", () => {
    const red = result({ events: [passed("a", "one"), failed("(what files share)", "after all")] });
    assert.deepEqual(totals([red]), { passed: 1, failed: 1, flaky: 0 });
  });

  it("fails a tier whose process ended before its files did", () => {
    const broke = "its process ended by itself (SIGKILL):\nlast words";
    const early = result({ broke, notRun: ["a", "b"] });
    assert.deepEqual(failedFiles(early), [], "nothing is run again that cannot even be read");
    assert.deepEqual(totals([early]), { passed: 0, failed: 1, flaky: 0 });
    assert.match(
      page([early]),
      /1\) tests\/api: 2 files were not run\n {3}its process.*\n.*last words/,
    );

    const late = { events: [passed("c", "one")], broke, notRun: ["a", "b"] };
    assert.deepEqual(failedFiles(result(late)), ["a", "b"]);
    const again = (ok: boolean) =>
      ["a", "b"].map((file) => ({ file, events: [passed(file, "x")], ok }));
    assert.deepEqual(totals([result({ ...late, again: again(true) })]), {
      ...{ passed: 3, failed: 0, flaky: 2 },
    });
    assert.equal(totals([result({ ...late, again: again(false) })]).failed, 1);
  });

  it("fails a tier whose process ended badly after its last test", () => {
    const odd = result({ events: [passed("a", "one"), { event: "end" }], broke: "exit code 7" });
    assert.deepEqual(totals([odd]), { passed: 1, failed: 1, flaky: 0 });
  });

  it("says what was left out, what was left behind, and where evidence is", () => {
    const left = result({ events: [passed("a", "one")], left: ["process 7: etcd"] });
    const text = lastPage([left], [{ tier: "node", why: "needs root" }], ["reports/x"]).join("\n");
    assert.match(text, /left out {2}node: needs root\n/);
    assert.match(text, /left behind by api, and taken away: process 7: etcd\n/);
    assert.match(text, /Evidence:\n {2}reports\/x\n/);
  });

  it("adds up the outermost suites of a file, and names the slowest tests first", () => {
    const times = [1000, 1500].map((ms) => ({ event: "file", file: "a", ms }) as const);
    const tests = Array.from({ length: 12 }, (_, i) => passed("a", `test ${i}`, i * 1000));
    const text = page([result({ events: [...times, ...tests] })]);
    assert.match(text, / {3}0:03 {2}a\n/);
    assert.match(text, /slowest tests:\n.*test 11 .*\n.*test 10 /);
    assert.doesNotMatch(text, /test 1 \(/);
  });
});
