/**
 * How long tests wait, by what for. A green run never waits as long: each value is for a machine that is
 * busy with other work, and PATIENCE stretches all of them on one that is slower still.
 */
import { setTimeout as delay } from "node:timers/promises";
import { patience, readPatience } from "../local/patience";

export { patience, readPatience };

/** What tests wait for, in seconds on two cores that other work shares. */
const SECONDS = {
  /** A control plane, or a real node with its first pods. */
  clusterStarts: 900,
  /** A pod is scheduled, its volumes attached, its containers started and ready. */
  podReady: 600,
  /** A pod is gone, its grace period included. */
  podGone: 300,
  /** A Deployment or StatefulSet has what it wants, the old pods gone. */
  rolloutEnds: 600,
  /** A Job has ended; it may have a fifth of a processor. */
  jobEnds: 900,
  /** A Job that has gigabytes to read and write. */
  largeJobEnds: 1500,
  /** A node is drained. */
  drainEnds: 600,
  /** A controller or a stand-in for one answers a change: a status, an event, an object that it makes. */
  controllerActs: 300,
  /** A server on the loopback or behind the node's ingress answers. */
  serverAnswers: 300,
  /** One request is answered. */
  requestAnswered: 60,
  /** A command that was started ends: the engine, the fleet's, npm. */
  commandEnds: 900,
  /** A process ends after a signal, or after its work. */
  processEnds: 120,
  /** The objects, events and logs of one failed site are copied. */
  evidenceTaken: 60,
} as const;

/** Something that tests wait for. */
export type Wait = keyof typeof SECONDS;

/**
 * How often a condition is looked at that nothing announces, in milliseconds: at first often, and later
 * a tenth of what it has taken so far. A look is a process more on two cores that have others.
 */
const POLL = { least: 200, most: 1_000 };

/** Longest wait, in seconds. */
export function seconds(wait: Wait): number {
  return Math.ceil(SECONDS[wait] * patience);
}

/** Longest wait, in milliseconds. */
export function milliseconds(wait: Wait): number {
  return seconds(wait) * 1000;
}

/** kubectl's option for the longest wait. */
export function within(wait: Wait): string {
  return `--timeout=${seconds(wait)}s`;
}

/**
 * Looks until a condition gives something, and gives that. What a look throws is an answer that is not
 * yet right: it is told when the time is over.
 * @param limit milliseconds. Default: those of the wait
 * @throws Error with what was waited for, and the last look's error
 */
export async function eventually<T>(
  what: string,
  condition: () => Promise<T | undefined | false> | T | undefined | false,
  wait: Wait = "controllerActs",
  limit = milliseconds(wait),
): Promise<T> {
  const started = Date.now();
  const deadline = started + limit;
  for (;;) {
    let cause: unknown;
    try {
      const found = await condition();
      if (found) return found;
    } catch (error) {
      cause = error;
    }
    if (Date.now() > deadline) {
      const last = cause === undefined ? "" : `; the last look: ${textOf(cause)}`;
      throw new Error(`not within ${limit / 1000} s: ${what}${last}`, { cause });
    }
    await delay(Math.min(Math.max(POLL.least, (Date.now() - started) / 10), POLL.most));
  }
}

/**
 * Looks for a while, and wants the condition to hold at each look: for "still not", after what could
 * have changed it was seen to be over.
 * @param length seconds. Default: 3
 * @throws Error with what was to hold, and the look's error
 */
export async function consistently(
  what: string,
  condition: () => Promise<boolean> | boolean,
  length = 3,
): Promise<void> {
  const started = Date.now();
  const end = started + length * 1000;
  do {
    let cause: unknown;
    const holds = await Promise.resolve()
      .then(condition)
      .catch((error: unknown) => {
        cause = error;
        return false;
      });
    if (!holds) {
      const why = cause === undefined ? "" : `: ${textOf(cause)}`;
      const after = ((Date.now() - started) / 1000).toFixed(1);
      throw new Error(`no longer, after ${after} s: ${what}${why}`, { cause });
    }
    await delay(POLL.least);
  } while (Date.now() < end);
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
