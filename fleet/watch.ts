/** Waiting for what the cluster does: on its own word, without polling, and never for ever. */
import { setTimeout as delay } from "node:timers/promises";
import {
  type KubernetesListObject,
  type KubernetesObject,
  makeInformer,
} from "@kubernetes/client-node";
import type { Cluster } from "./cluster";
import { Failure, Interrupted } from "./errors";

/** Wait before a broken watch is begun again, in milliseconds. */
const RECONNECT = 500;

export interface Watching<T extends KubernetesObject> {
  /** Path of the collection, such as /apis/batch/v1/namespaces/matomo/jobs. */
  path: string;
  list: () => Promise<KubernetesListObject<T>>;
  labelSelector?: string;
}

export interface Patience {
  /** What is waited for, for the error. */
  what: string;
  seconds: number;
  signal: AbortSignal;
}

/**
 * Waits until `found` answers for the objects of a collection, of which it is told at each change.
 * @throws Interrupted, or Failure when the time is over
 */
export async function awaitObjects<T extends KubernetesObject, R>(
  { config }: Pick<Cluster, "config">,
  { path, list, labelSelector }: Watching<T>,
  found: (objects: T[]) => R | undefined,
  { what, seconds, signal }: Patience,
): Promise<R> {
  const informer = makeInformer(config, path, list, labelSelector);
  const ended = new AbortController();
  let starting: Promise<void> = Promise.resolve();
  try {
    return await new Promise<R>((resolve, reject) => {
      const judge = (): void => {
        try {
          const result = found([...informer.list()]);
          if (result !== undefined) resolve(result);
        } catch (error) {
          reject(error as Error);
        }
      };
      const start = (): void => {
        starting = informer.start();
        starting.then(judge, reject);
      };
      signal.addEventListener("abort", () => reject(new Interrupted()), { signal: ended.signal });
      if (signal.aborted) reject(new Interrupted());
      delay(seconds * 1000, undefined, { signal: ended.signal }).then(
        () => reject(new Failure(`not within ${seconds} s: ${what}`)),
        () => undefined,
      );
      // Of a list the informer tells one object at a time, as long as it does not know the others.
      informer.on("change", () => queueMicrotask(judge));
      // The server ends a watch now and then.
      informer.on("error", () => {
        if (!ended.signal.aborted) setTimeout(start, RECONNECT);
      });
      start();
    });
  } finally {
    ended.abort();
    // Stopped while it begins, it would open its watch afterwards and keep it.
    await starting.catch(() => undefined);
    await informer.stop();
  }
}
