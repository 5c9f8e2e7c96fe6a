/** Whether pods can really run here: on a node of their own, or only on simulated ones. */
import { existsSync } from "node:fs";
import * as path from "node:path";
import { debianRefusal } from "./debian";

/** Linux gives all of them to root, except in a container that withholds them. */
const needed = ["/usr/bin/unshare", "/usr/bin/nsenter", "/usr/bin/setpriv"];

export interface Tier {
  node: boolean;
  /** For a person, in a line. */
  reason: string;
}

/** The tier of a state folder: what its cluster was made with, or else the best that is possible. */
export function chooseTier(stateFolder: string, simulated = false): Tier {
  const cluster = path.join(stateFolder, "cluster");
  const exists = existsSync(path.join(cluster, "tokens.csv"));
  if (exists && existsSync(path.join(cluster, "node"))) {
    return { node: true, reason: "a real node, as this cluster was made" };
  }
  if (exists) {
    return { node: false, reason: "simulated nodes, as this cluster was made (npm run clean)" };
  }
  const refusal = simulated ? "by --simulated" : nodeRefusal();
  return refusal === undefined
    ? { node: true, reason: "a real node: pods run" }
    : { node: false, reason: `simulated nodes, nothing runs in pods: ${refusal}` };
}

/** Why no real node can run here; undefined if one can. */
export function nodeRefusal(): string | undefined {
  if (process.platform !== "linux") {
    return "a real node needs Linux";
  }
  if (process.getuid?.() !== 0) {
    return "a real node needs root";
  }
  const missing = needed.find((program) => !existsSync(program));
  return missing === undefined ? debianRefusal() : `a real node needs ${missing}`;
}
