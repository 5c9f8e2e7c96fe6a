/**
 * mocha's `spec` reporter that also tells the run what happened (events.ts), and where CI asks for it
 * writes mocha's own XUnit file.
 *
 * Options: `events`, the file that is written line by line; `xunit`, the XML file; `tier`.
 */
import { appendFileSync } from "node:fs";
import * as path from "node:path";
import Mocha, { type MochaOptions, reporters, type Runnable, Runner, type Suite } from "mocha";
import { hookFailed } from "../evidence";
import { type Event, NO_FILE } from "./events";

const { constants } = Runner;

class TierReporter extends reporters.Spec {
  private readonly xunit?: Mocha.reporters.XUnit;

  constructor(runner: Runner, options: MochaOptions) {
    super(runner, options);
    const { events, xunit, tier } = options.reporterOptions ?? {};
    if (xunit) {
      const reporterOptions = { output: xunit, suiteName: tier };
      this.xunit = new reporters.XUnit(runner, { ...options, reporterOptions });
    }
    const tell = (event: Event) => {
      if (events) appendFileSync(events, `${JSON.stringify(event)}\n`);
    };
    const started = new Map<Suite, number>();
    runner.on(constants.EVENT_SUITE_BEGIN, (suite) => started.set(suite, Date.now()));
    runner.on(constants.EVENT_SUITE_END, (suite) => {
      if (!suite.parent?.root) return;
      tell({ event: "file", file: fileOf(suite), ms: Date.now() - started.get(suite)! });
    });
    runner.on(constants.EVENT_TEST_PASS, (test) => tell({ event: "passed", ...told(test) }));
    runner.on(constants.EVENT_TEST_FAIL, (test: Runnable & { type?: string }, error: Error) => {
      if (test.type === "hook") hookFailed(test.fullTitle());
      tell({ event: "failed", ...told(test), error: textOf(error) });
    });
    runner.on(constants.EVENT_RUN_END, () => tell({ event: "end" }));
  }

  override done(failures: number, end: (failures: number) => void): void {
    if (this.xunit) this.xunit.done(failures, end);
    else end(failures);
  }
}

function told(test: Runnable) {
  return { file: fileOf(test), title: test.fullTitle(), ms: test.duration ?? 0 };
}

function fileOf({ file }: { file?: string }): string {
  return file ? path.relative(process.cwd(), file) : NO_FILE;
}

/** With the difference that `spec` would show, and the causes. */
function textOf(error: Error & { actual?: unknown; expected?: unknown }): string {
  const parts = [error.stack ?? String(error)];
  if (error.cause) parts.push(`caused by: ${textOf(error.cause as Error)}`);
  return parts.join("\n");
}

module.exports = TierReporter;
