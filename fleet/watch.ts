/** Waiting for what the cluster does: on its own word, without polling, and never for ever. */
import { setTimeout as delay } from "node:timers/promises";
import {
  ApiException,
  type KubernetesListObject,
  type KubernetesObject,
  makeInformer,
} from "@kubernetes/client-node";
import type { Cluster } from "./cluster";
import { Failure, Interrupted, reason } from "./errors";

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
 * Waits until `found` answers for the objects of a collection, of which it is told at each change. It is
 * told only what a list said that the cluster answered: one that failed is tried again, as nothing is known
 * by it, least of all that there is nothing. So is one that is refused, which may be a cluster that starts.
 * @throws Interrupted, or Failure when the time is over, and the last try where it failed
 */
export async function awaitObjects<T extends KubernetesObject, R>(
  { config }: Pick<Cluster, "config">,
  { path, list, labelSelector }: Watching<T>,
  found: (objects: T[]) => R | undefined,
  { what, seconds, signal }: Patience,
): Promise<R> {
  const ended = new AbortController();
  /** Whether the informer has what a list said: it keeps the old objects while a new list fails. */
  let known = false;
  /** What is wrong now, for the error; empty when nothing is. */
  let wrong = "the cluster has not answered";
  const informer = makeInformer(
    config,
    path,
    async () => {
      known = false;
      const listed = await list();
      // Ended meanwhile, it would open its watch and keep it.
      if (ended.signal.aborted) throw new Interrupted();
      known = true;
      wrong = "";
      return listed;
    },
    labelSelector,
  );
  let starting: Promise<void> = Promise.resolve();
  try {
    return await new Promise<R>((resolve, reject) => {
      let failures = 0;
      const judge = (): void => {
        if (!known) return;
        try {
          const result = found([...informer.list()]);
          if (result !== undefined) resolve(result);
        } catch (error) {
          reject(error as Error);
        }
      };
      const failed = (error: unknown): void => {
        failures += 1;
        wrong = `the last failure: ${inOneLine(error)}`;
        delay(RECONNECT, undefined, { signal: ended.signal }).then(start, () => undefined);
      };
      const start = (): void => {
        const before = failures;
        starting = informer.start();
        // It ends well with a list that failed, too, having told the error.
        starting.then(() => {
          if (failures === before) wrong = "";
          judge();
        }, failed);
      };
      signal.addEventListener("abort", () => reject(new Interrupted()), { signal: ended.signal });
      if (signal.aborted) reject(new Interrupted());
      delay(seconds * 1000, undefined, { signal: ended.signal }).then(
        () => reject(new Failure(`not within ${seconds} s: ${what}${wrong && `; ${wrong}`}`)),
        () => undefined,
      );
      // Of a list the informer tells one object at a time, as long as it does not know the others.
      informer.on("change", () => queueMicrotask(judge));
      // A list that failed, or a watch that broke; the server ends one now and then.
      informer.on("error", failed);
      start();
    });
  } finally {
    ended.abort();
    await informer.stop();
    // Stopped while it begins, it would open its watch afterwards. Not waited for: that may never end.
    starting.then(() => informer.stop()).catch(() => undefined);
  }
}

/** What went wrong, in one line; the client library's own has the answer's headers and body, too. */
function inOneLine(error: unknown): string {
  if (!(error instanceof ApiException)) return reason(error).split("\n")[0];
  const { code, body, message } = error as ApiException<unknown>;
  const said = statusMessage(body) ?? /^Message: (.*)$/m.exec(message)?.[1] ?? "";
  return `HTTP ${code}: ${said}`;
}

/** The message of a Status, which is what the API server answers with. */
function statusMessage(body: unknown): string | undefined {
  try {
    return (JSON.parse(String(body)) as { message?: string } | null)?.message;
  } catch {
    return undefined;
  }
}
