/** Programs of a test's own before those of a backup or a restore: they hold it, break it or look on. */
import assert from "node:assert/strict";
import * as fs from "node:fs";
import { eventually } from "../../waits";
import type { Result, Running } from "./sandbox";
import type { Site } from "./site";

/** The first process whose command line holds a text. */
export function pidOf(site: Site, text: string): Promise<number> {
  return eventually(text, () => site.pidsWith(text, "cmdline")[0]);
}

/** Starts a backup with programs of the test's own, on the site's own volumes or others. */
export async function startWith(
  site: Site,
  programs: Record<string, string>,
  others: Record<string, string> = {},
): Promise<Running> {
  const state = await site.fetchState({}, others);
  assert.equal(state.status, 0, state.output);
  const { env, mounts } = site.sandbox.shims(programs);
  return site.spawnBackup(env, { ...mounts, ...others });
}

/** A backup with programs of the test's own, to its end. */
export async function backupWith(site: Site, programs: Record<string, string>): Promise<Result> {
  return (await startWith(site, programs)).finished;
}

/** In a program's place: leaves a mark, and waits until somebody lets it go on. */
export const HOLD = ": >/tmp/held; until [ -e /tmp/go-on ]; do sleep 0.1; done";
/** In the arguments of the client that takes in a dump, and of no other. */
export const LOADS = "SESSION innodb_strict_mode";

/** A program is held before or after it runs, where its arguments have these words. */
export function held(
  program: string,
  when: "before" | "after",
  words = "",
): Record<string, string> {
  const run = `/usr/bin/${program} "$@"`;
  const script = when === "before" ? `${HOLD}; exec ${run}` : `${run}; ${HOLD}`;
  return { [program]: `case "$*" in *"${words}"*) ${script} ;; *) exec ${run} ;; esac` };
}

export async function isHeld(running: Running): Promise<void> {
  const mark = `/proc/${running.pid}/root/tmp/held`;
  await eventually("it is held", () => running.exitCode !== null || fs.existsSync(mark), "jobEnds");
  assert.equal(running.exitCode, null, running.output());
}

/** Lets what is held go on, in the container's own folder for temporary files. */
export function goOn(running: Running): void {
  fs.writeFileSync(`/proc/${running.pid}/root/tmp/go-on`, "");
}
