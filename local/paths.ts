/**
 * Where local/ keeps things: what is built, outside the checkout and shared by all checkouts of a
 * user; what runs, in a state folder of the checkout.
 */
import * as os from "node:os";
import * as path from "node:path";

/** The checkout that this file belongs to. */
export const checkout = path.resolve(__dirname, "..");

/** State of `npm start`: the cluster, the engine's home and its backend. Not in git. */
export const defaultStateFolder = path.join(checkout, ".local");

/** State of deployments to a person's own clusters, one folder per context. */
export const contextsFolder = path.join(defaultStateFolder, "contexts");

/** State of what `npm start -- --context NAME` deploys. */
export function contextStateFolder(context: string): string {
  return path.join(contextsFolder, encodeURIComponent(context));
}

/** The context that an embedded cluster's kubeconfig defines. */
export const localContext = "matomo-local";

/** Built binaries, shared by every checkout of this user. */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  const base = env.XDG_CACHE_HOME ? env.XDG_CACHE_HOME : path.join(os.homedir(), ".cache");
  return path.join(base, "matomo-fleet");
}
