/** A second `npm start` in a checkout, which has nothing to do, beside the `up` that is a part of it. */
import { execa } from "execa";
import { copyCheckout, linkLibraries } from "../checkout-copy";

export interface StartedCheckout {
  /** The engine's part alone. */
  up: () => Promise<unknown>;
  start: () => Promise<unknown>;
}

/** A copy of the checkout, whose site is up. Who asks for it ends its cluster. */
export async function startedCheckout(folder: string): Promise<StartedCheckout> {
  await copyCheckout(folder);
  await linkLibraries(folder);
  const run = (...args: string[]) => execa("node", args, { cwd: folder, env: { CI: "true" } });
  const start = () => run("local/start.mjs", "--simulated");
  const up = ["pulumi", "up", "--yes", "--skip-preview"];
  await start();
  return {
    up: () => run("--import", "tsx", "local/run.ts", ...up),
    start,
  };
}
