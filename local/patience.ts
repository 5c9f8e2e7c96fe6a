/**
 * How long the local commands and the tests wait at most. Each wait has a name and is for a machine that
 * is busy with other work; PATIENCE stretches all of them on one that is slower still.
 */

/** What the local commands wait for, in seconds on two cores that other work shares. */
const SECONDS = {
  /** A process of the embedded cluster answers after its start, a node's first pods included. */
  daemonReady: 900,
  /**
   * A process ends after SIGTERM, before it is killed: the API server ends its open requests first, a
   * node its containers.
   */
  daemonEnds: 120,
  /** What a new cluster makes of the objects that it is given: resource definitions, nodes, accounts. */
  clusterSettles: 600,
  /** One request on the loopback is answered. */
  requestAnswered: 30,
  /** An API server that runs takes connections: it has just started, or its queue is full. */
  connectionTaken: 60,
} as const;

/** Something that the local commands wait for. */
export type LocalWait = keyof typeof SECONDS;

/** How much longer than usual everything waits, by the environment's PATIENCE. Default: 1. */
export const patience = readPatience(process.env.PATIENCE);

/** @throws Error for what is not a number above 0 */
export function readPatience(text: string | undefined): number {
  const factor = Number(text || 1);
  if (factor > 0 && Number.isFinite(factor)) return factor;
  throw new Error(`PATIENCE is "${text}": it has to be a number above 0, such as 3`);
}

/** Longest wait, in seconds. */
export function localSeconds(wait: LocalWait): number {
  return Math.ceil(SECONDS[wait] * patience);
}

/** Longest wait, in milliseconds. */
export function localMilliseconds(wait: LocalWait): number {
  return localSeconds(wait) * 1000;
}
