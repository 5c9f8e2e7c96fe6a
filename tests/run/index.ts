/**
 * `npm test`: builds what the tiers run on, runs each tier in a process of its own, whatever the others
 * said, runs a file that failed once more, alone, and ends with a page of what failed and what took long.
 */
import { existsSync } from "node:fs";
import * as fs from "node:fs/promises";
import * as os from "node:os";
import * as path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Command } from "commander";
import { execa } from "execa";
import { runCommand, UserError } from "../../local/errors";
import { nodeRefusal } from "../../local/node/tier";
import { checkout } from "../../local/paths";
import { nameOf } from "../evidence";
import { drawnBy, isSoak } from "../soak";
import { milliseconds } from "../waits";
import { type Event, NO_FILE, readEvents } from "./events";
import { removeLeftovers } from "./leftovers";
import { failedFiles, lastPage, type LeftOut, type TierResult, totals } from "./page";
import { prepare } from "./prepare";
import { type Wanted, wanted } from "./tiers";

/** What a run leaves: XML files, what each tier printed, and evidence of failures. */
const REPORTS = path.join("reports", "tests");
/** Tiers that run at the same time, more than there are cores: each of them waits for much of its time. */
const AT_ONCE = Math.min(4, os.availableParallelism() + 2);

runCommand(async () => {
  await new Command("npm test --")
    .description("Runs the tests; each tier that is wanted in a process of its own.")
    .argument("[names...]", "tiers, test files or folders of them (default: all)")
    .option("-g, --grep <words>", "only tests whose title has these words")
    .action(run)
    .parseAsync();
});

async function run(names: string[], { grep }: { grep?: string }): Promise<void> {
  const asked = chosen(names);
  const refusal = nodeRefusal();
  const runs = asked.filter(({ tier }) => tier.on !== "node" || refusal === undefined);
  const leftOut = asked
    .filter((one) => !runs.includes(one))
    .map(({ tier }): LeftOut => ({ tier: tier.name, why: refusal! }));

  await prepare({
    cluster: runs.some(({ tier }) => tier.on !== "npm"),
    node: runs.some(({ tier }) => tier.on === "node"),
  });

  process.chdir(checkout);
  await fs.rm(REPORTS, { recursive: true, force: true });
  await fs.mkdir(REPORTS, { recursive: true });
  const interrupted = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => interrupted.abort());
  }
  if (!isSoak) console.log(`Of what takes long, a part is drawn: ${drawnBy}`);
  const mocha = grep === undefined ? [] : ["--grep", grep];
  const results: TierResult[] = [];
  const queue = [...runs];
  const next = async (): Promise<void> => {
    for (let one = queue.shift(); one; one = queue.shift()) {
      if (interrupted.signal.aborted) return;
      const labelled = runs.length > 1;
      results.push(await runTier(one, { mocha, labelled, interrupted: interrupted.signal }));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, next));
  for (const result of results) {
    for (const file of failedFiles(result).filter((file) => file !== NO_FILE)) {
      if (!interrupted.signal.aborted) {
        const options = { mocha, labelled: false, interrupted: interrupted.signal };
        result.again.push(await runAgain(result, file, options));
      }
    }
  }

  const evidence = path.join(REPORTS, "evidence");
  const folders = existsSync(evidence) ? await foldersBelow(evidence) : [];
  const page = lastPage(results, leftOut, folders).join("\n");
  console.log(page);
  await fs.writeFile(path.join(REPORTS, "page.txt"), `${page.trimStart()}\n`);
  const { GITHUB_STEP_SUMMARY: summary } = process.env;
  if (summary) await fs.appendFile(summary, `\`\`\`\n${page}\n\`\`\`\n`);
  const { passed, failed } = totals(results);
  if (interrupted.signal.aborted) throw new UserError("Interrupted: not all of it was run.");
  if (passed + failed === 0 && leftOut.length === 0) throw new UserError("No test was run.");
  if (failed > 0) process.exitCode = 1;
}

function chosen(names: string[]): Wanted[] {
  try {
    return wanted(names);
  } catch (error) {
    throw new UserError((error as Error).message);
  }
}

/** How a process of mocha is run. */
interface MochaOptions {
  /** Its options for a choice of tests. */
  mocha: string[];
  /** Whether each line begins with the tier: another one prints beside it. */
  labelled: boolean;
  /** Ends it. */
  interrupted: AbortSignal;
}

async function runTier({ tier, files }: Wanted, options: MochaOptions) {
  const started = Date.now();
  const { events, broke, left } = await runMocha(tier.name, tier.name, files, options);
  const ended = new Set(events.flatMap((event) => (event.event === "file" ? [event.file] : [])));
  // Where mocha said its end, a file without one has no test of those that were asked for.
  const isOver = events.some(({ event }) => event === "end");
  const notRun = isOver ? [] : files.filter((file) => !ended.has(file));
  const ms = Date.now() - started;
  return { tier: tier.name, ms, events, broke, notRun, again: [], left };
}

async function runAgain({ tier, left }: TierResult, file: string, options: MochaOptions) {
  const name = `${tier}-again-${nameOf(file)}`;
  console.log(`\nOnce more, alone: ${file}`);
  const again = await runMocha(tier, name, [file], options);
  left.push(...again.left);
  const failed = again.events.some(({ event }) => event === "failed");
  return { file, events: again.events, ok: !failed && again.broke === undefined };
}

/** Runs mocha on files, in a process and a folder of its own. */
async function runMocha(
  tier: string,
  name: string,
  files: string[],
  { mocha, labelled, interrupted }: MochaOptions,
) {
  // Short: the paths of sockets in it have a limit.
  const temporary = await fs.mkdtemp(path.join(await fs.realpath(os.tmpdir()), "mt-"));
  await shareCompiled(temporary);
  const evidence = path.resolve(REPORTS, "evidence", name);
  const events = path.join(REPORTS, `${name}.events`);
  const xunit = path.join(REPORTS, `${name}.xml`);
  const options = [`events=${events}`, `xunit=${xunit}`, `tier=${tier}`];
  const args = [
    ...["--reporter", "tests/run/reporter.ts"],
    ...options.flatMap((option) => ["--reporter-option", option]),
    ...(process.stdout.isTTY ? ["--color"] : []),
    ...mocha,
  ];
  const lines = function* (line: unknown) {
    yield labelled ? `[${tier}] ${String(line)}` : line;
  };
  const log = { file: path.join(REPORTS, `${name}.log`) };
  // Not by its command, which starts another process and leaves that behind when it is ended.
  const mochaItself = ["--import", "tsx", require.resolve("mocha/bin/_mocha")];
  const child = execa(process.execPath, [...mochaItself, ...args, ...files], {
    reject: false,
    buffer: false,
    stdin: "ignore",
    stdout: [lines, "inherit", log],
    stderr: [lines, "inherit", log],
    // Engines and clusters are written in Go: they take more memory and collect less often.
    env: { TMPDIR: temporary, TEST_EVIDENCE: evidence, GOGC: process.env.GOGC ?? "400" },
  });
  // It has a terminal's signal too; what it leaves is found below.
  interrupted.addEventListener("abort", () => child.kill());
  const ended = new AbortController();
  const stuck = endStuck(events, ended.signal, () => child.kill("SIGKILL"));
  await Promise.race([new Promise((resolve) => child.once("exit", resolve)), child]);
  ended.abort();
  // Before its output is at its end: what it left may hold that open.
  const left = await removeLeftovers(temporary, evidence);
  const { exitCode, signal } = await child;
  if (await stuck) left.push("open handles, which kept mocha from ending");
  const seen = readEvents(events);
  return { events: seen, broke: await breakOf(seen, exitCode, signal, log.file), left };
}

/** Has tsx find in a folder for temporary files what it compiled in this process's own. */
async function shareCompiled(temporary: string): Promise<void> {
  const name = `tsx-${process.geteuid?.() ?? os.userInfo().username}`;
  const compiled = path.join(os.tmpdir(), name);
  await fs.mkdir(compiled, { recursive: true });
  await fs.symlink(compiled, path.join(temporary, name));
}

/** Ends a mocha that has said its end and does not go: something still runs in it. True if it had to. */
async function endStuck(events: string, ended: AbortSignal, end: () => void): Promise<boolean> {
  const wait = (ms: number) => delay(ms, undefined, { signal: ended }).catch(() => undefined);
  while (!ended.aborted && !readEvents(events).some(({ event }) => event === "end")) {
    await wait(2_000);
  }
  await wait(milliseconds("processEnds"));
  if (ended.aborted) return false;
  end();
  return true;
}

/** Why the process ended, where no failed test says it; with its last words. */
async function breakOf(events: Event[], exitCode = 0, signal: string | undefined, log: string) {
  const isOver = events.some(({ event }) => event === "end");
  const hasFailed = events.some(({ event }) => event === "failed");
  if (isOver && (signal !== undefined || exitCode === 0 || hasFailed)) return undefined;
  const end = signal === undefined ? `exit code ${exitCode}` : signal;
  const words = (await fs.readFile(log, "utf8")).trimEnd().split("\n").slice(-25);
  return `its process ended by itself (${end}):\n${words.join("\n")}`;
}

/** Folders with evidence: one for each failure, below one for each process. */
async function foldersBelow(evidence: string): Promise<string[]> {
  const found: string[] = [];
  for (const run of await fs.readdir(evidence)) {
    for (const failure of await fs.readdir(path.join(evidence, run))) {
      found.push(path.join(evidence, run, failure));
    }
  }
  return found;
}
