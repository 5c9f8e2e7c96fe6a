/** The last page of a run: every failure, what was flaky, and where the time went. */
import type { Event } from "./events";

/** How one tier went. */
export interface TierResult {
  tier: string;
  /** From the start of its process to its end. */
  ms: number;
  events: Event[];
  /** Its process's end, when mocha did not say it. */
  broke?: string;
  /** Test files of the tier that it did not get to. */
  notRun: string[];
  /** Files that failed and were run once more, alone. */
  again: { file: string; events: Event[]; ok: boolean }[];
  /** What it left running, mounted or on the disk; it was taken away. */
  left: string[];
}

/** A tier that cannot run here, and why. */
export interface LeftOut {
  tier: string;
  why: string;
}

type Failed = Extract<Event, { event: "failed" }>;
type Passed = Extract<Event, { event: "passed" }>;

const isFailed = (event: Event): event is Failed => event.event === "failed";
const isPassed = (event: Event): event is Passed => event.event === "passed";

/**
 * Files that failed in the tier's process: those are run once more. Of a process that ended before its
 * first test, none: what hinders all of them (a file that cannot be read) is told at once.
 */
export function failedFiles({ events, notRun }: Pick<TierResult, "events" | "notRun">): string[] {
  if (events.length === 0) return [];
  return [...new Set([...events.filter(isFailed).map(({ file }) => file), ...notRun])];
}

/** Failures that count: those of files that did not pass when they ran alone. */
function failures({ tier, events, again, notRun, broke }: TierResult): Failed[] {
  const first = events.filter(isFailed);
  const known = new Set(first.map(({ file }) => file));
  // A file that the tier's process did not get to has its errors from when it ran alone.
  const late = again.filter(({ file }) => !known.has(file)).flatMap(({ events }) => events);
  const passed = new Set(again.filter(({ ok }) => ok).map(({ file }) => file));
  const counted = [...first, ...late.filter(isFailed)].filter(({ file }) => !passed.has(file));
  const told = new Set([...passed, ...counted.map(({ file }) => file)]);
  const silent = notRun.filter((file) => !told.has(file));
  if (broke === undefined || (notRun.length > 0 && silent.length === 0)) return counted;
  const title = silent.length > 0 ? `${silent.length} files were not run` : "after its last file";
  return [...counted, failure(`tests/${tier}`, title, broke)];
}

function failure(file: string, title: string, error: string): Failed {
  return { event: "failed", file, title, ms: 0, error };
}

/** The counts of a run. */
export function totals(results: TierResult[]): { passed: number; failed: number; flaky: number } {
  const sum = (count: (result: TierResult) => number) =>
    results.reduce((total, result) => total + count(result), 0);
  return {
    passed: sum((result) => passes(result).length),
    failed: sum((result) => failures(result).length),
    flaky: sum(({ again }) => again.filter(({ ok }) => ok).length),
  };
}

/** Tests that passed, each once: of a file that was run again, those of the second time. */
function passes({ events, again }: TierResult): Passed[] {
  const files = new Set(again.map(({ file }) => file));
  const first = events.filter(isPassed).filter(({ file }) => !files.has(file));
  return [...first, ...again.flatMap(({ events }) => events.filter(isPassed))];
}

/** The page, line by line; its last line has the counts. */
export function lastPage(results: TierResult[], leftOut: LeftOut[], evidence: string[]): string[] {
  const lines: string[] = [""];
  const byTime = <T extends { ms: number }>(list: T[]) => [...list].sort((a, b) => b.ms - a.ms);

  lines.push("Time of each file that took a second or more:");
  const files = byTime(timesOfFiles(results)).filter(({ ms }) => ms >= 1000);
  for (const { file, ms } of files) lines.push(`  ${clock(ms)}  ${file}`);
  lines.push("", "The slowest tests:");
  const slowest = byTime(results.flatMap(passes)).slice(0, 10);
  for (const { file, title, ms } of slowest) lines.push(`  ${clock(ms)}  ${title} (${file})`);

  lines.push("", "Tiers:");
  for (const result of results) {
    const { passed, failed } = totals([result]);
    lines.push(`  ${clock(result.ms)}  ${result.tier}: ${passed} passed, ${failed} failed`);
  }
  for (const { tier, why } of leftOut) lines.push(`  left out  ${tier}: ${why}`);
  for (const { tier, left } of results) {
    for (const what of left) lines.push(`  left behind by ${tier}, and taken away: ${what}`);
  }

  const failed = results.flatMap(failures);
  failed.forEach(({ file, title, error }, index) => {
    lines.push("", `${index + 1}) ${file}: ${title}`);
    lines.push(...error.split("\n").map((line) => `   ${line}`));
  });
  if (evidence.length > 0) {
    lines.push("", "Evidence:", ...evidence.map((folder) => `  ${folder}`));
  }

  const flaky = results.flatMap(({ events, again }) =>
    again
      .filter(({ ok }) => ok)
      .map(({ file }) => {
        const first = events.filter(isFailed).find((event) => event.file === file);
        return `FLAKY ${file}: ${first?.error.split("\n")[0] ?? "not run at first"}`;
      }),
  );
  lines.push("", ...flaky);
  const { passed, failed: count } = totals(results);
  if (flaky.length > 0) lines.push(`${flaky.length} flaky: passed when run again, alone`);
  lines.push(`${passed} passed, ${count} failed`);
  return lines;
}

/** A file's outermost suites together, and both of its runs. */
function timesOfFiles(results: TierResult[]): { file: string; ms: number }[] {
  const times = new Map<string, number>();
  for (const { events, again } of results) {
    for (const event of [...events, ...again.flatMap(({ events }) => events)]) {
      if (event.event !== "file") continue;
      times.set(event.file, (times.get(event.file) ?? 0) + event.ms);
    }
  }
  return [...times].map(([file, ms]) => ({ file, ms }));
}

/** Minutes and seconds. */
function clock(ms: number): string {
  const seconds = Math.round(ms / 1000);
  return `${String(Math.floor(seconds / 60)).padStart(3)}:${String(seconds % 60).padStart(2, "0")}`;
}
