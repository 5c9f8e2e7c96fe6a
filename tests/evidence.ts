/**
 * What is kept of a failure: while a test or a hook has just failed, each open site's objects, events and
 * logs are copied into a folder, before anybody takes the site away.
 */
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { milliseconds } from "./waits";

/** Something that runs, and can say how it stands. */
export interface Observed {
  /** Folder of its evidence. */
  readonly title: string;
  /** Copies what there is to see into a folder. */
  collect(folder: string): Promise<void>;
}

const open = new Set<Observed>();
/** The hook that failed, until the next test. mocha tells its reporter, which has a copy of this module. */
const FAILED_HOOK = Symbol.for("matomo-fleet.failed-hook");
const state = globalThis as { [FAILED_HOOK]?: string };

/** From now on evidence is taken of it, until it is forgotten. */
export function observe(observed: Observed): void {
  open.add(observed);
}

/** It is about to be closed: the last moment to look at it, if a hook has failed. */
export async function forget(observed: Observed): Promise<void> {
  if (!open.delete(observed)) return;
  if (state[FAILED_HOOK] !== undefined) await collect(state[FAILED_HOOK], [observed]);
}

/**
 * A hook has failed. mocha runs nothing of ours behind it: evidence is taken when a site ends, or before
 * the next test, whichever comes first.
 */
export function hookFailed(title: string): void {
  state[FAILED_HOOK] = title;
}

/** Before each test: what a hook's failure left to be looked at. */
export async function testBegins(): Promise<void> {
  const title = state[FAILED_HOOK];
  delete state[FAILED_HOOK];
  if (title !== undefined) await collect(title, [...open]);
}

/** A test has failed. Takes as long as a command may, at most, and never fails. */
export async function testFailed(title: string): Promise<void> {
  await collect(title, [...open]);
}

async function collect(title: string, sites: Observed[]): Promise<void> {
  const folder = path.join(evidenceFolder(), nameOf(title));
  for (const site of sites) {
    const own = path.join(folder, nameOf(site.title));
    await fs.mkdir(own, { recursive: true });
    const end = new AbortController();
    const limit = new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds("evidenceTaken"));
      end.signal.addEventListener("abort", () => clearTimeout(timer));
    });
    const work = site.collect(own).catch((error: unknown) => {
      return fs.writeFile(path.join(own, "not-complete.txt"), String(error));
    });
    await Promise.race([work, limit]);
    end.abort();
  }
  if (sites.length > 0) console.log(`      evidence: ${path.relative(process.cwd(), folder)}`);
}

/** Where this process's evidence goes. */
function evidenceFolder(): string {
  return process.env.TEST_EVIDENCE ?? path.resolve("reports", "tests", "evidence");
}

/** A title as a folder's name. */
export function nameOf(title: string): string {
  const words = title.toLowerCase().replace(/[^a-z0-9]+/g, "-");
  return words.replace(/^-|-$/g, "").slice(0, 100);
}
