/**
 * Downloads that outlast a server that is away for a minute: tried again after pauses that grow. What
 * never comes is told in one line, with the way on.
 */
import * as fs from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import type { ResultPromise } from "execa";
import { signal } from "./daemons";
import { UserError } from "./errors";
import { patience } from "./patience";

/** Before each further try, in seconds: over two minutes in all. */
const PAUSES = [1, 2, 5, 10, 20, 40, 60];
/** Without a sign of life for so long, in seconds, a program waits for a server that says nothing. */
const STALL_SECONDS = 90 * patience;
/** Where a program's signs of life cannot be seen: the longest that a whole try may take, in seconds. */
const BLIND_SECONDS = 1800 * patience;

/** A download that did not come, in contrast to whatever else fails while something is built. */
export class DownloadError extends Error {
  constructor(
    /** What was to be fetched. */
    readonly what: string,
    /** What its program said of it, in a line. */
    readonly reason: string,
  ) {
    super(`${what}: ${reason}`);
  }
}

/** How patient downloads are; for tests of them. */
export interface DownloadPatience {
  /** Before each further try, in seconds. Default: over two minutes in all. */
  pauses?: number[];
  /** After so long without a sign of life a try is ended, in seconds. Default: 90. */
  stallSeconds?: number;
}

/**
 * Runs what fetches something, again where it fails with a DownloadError; any other error is thrown on.
 * @throws UserError when the last try failed, too
 */
export async function downloading<T>(
  attempt: () => Promise<T>,
  /** Told of each further try. */
  report: (line: string) => void,
  { pauses = PAUSES }: DownloadPatience = {},
): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof DownloadError)) throw error;
      const pause = pauses[tries - 1];
      if (pause === undefined) {
        throw new UserError(
          `Could not fetch ${error.what} in ${tries} tries (${error.reason}): what came is kept, and ` +
            "the same command goes on from there once its server answers.",
        );
      }
      report(`a download failed and is tried again in ${pause} s: ${error.message}`);
      await delay(pause * 1000);
    }
  }
}

/** The last line of an output that says something, for a person. */
export function lastWords(output: string, words = /\S/): string {
  const lines = output.split("\n").map((line) => line.trim());
  return lines.filter((line) => line !== "" && words.test(line)).at(-1) ?? "it said nothing";
}

/**
 * Ends a program and what it started when nothing is heard of it any more: one that reads what a server
 * holds back would wait for ever. The system counts what a process reads.
 * @returns the seconds after which it was ended; undefined when it ended by itself
 */
export async function endIfStalled(
  run: ResultPromise,
  { stallSeconds = STALL_SECONDS }: DownloadPatience = {},
): Promise<number | undefined> {
  let [read, since] = [bytesRead(run.pid), Date.now()];
  const limit = read === undefined ? BLIND_SECONDS : stallSeconds;
  let stalled: number | undefined;
  const look = setInterval(() => {
    const now = bytesRead(run.pid);
    if (now !== read) [read, since] = [now, Date.now()];
    if (Date.now() - since < limit * 1000) return;
    stalled = limit;
    for (const pid of family(run.pid)) signal(pid, "SIGKILL");
  }, 500);
  try {
    await run.catch(() => undefined);
  } finally {
    clearInterval(look);
  }
  return stalled;
}

/** What a process and its children have read so far; undefined where the system does not tell. */
function bytesRead(pid: number | undefined): string | undefined {
  const counts = family(pid).map((member) => {
    try {
      return /^rchar: (\d+)$/m.exec(fs.readFileSync(`/proc/${member}/io`, "utf8"))?.[1];
    } catch {
      return undefined; // It ended meanwhile, or there is no such file.
    }
  });
  return counts.some((count) => count !== undefined) ? counts.join() : undefined;
}

/** A process and all that it started. */
function family(pid: number | undefined): number[] {
  if (pid === undefined) return [];
  try {
    const threads = fs.readdirSync(`/proc/${pid}/task`);
    const children = threads.flatMap((thread) =>
      fs.readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8").split(" ").filter(Boolean),
    );
    return [pid, ...children.flatMap((child) => family(Number(child)))];
  } catch {
    return [pid];
  }
}
