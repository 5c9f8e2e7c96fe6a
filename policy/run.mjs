/**
 * Runs the pack as one file: the engine starts the pack at each preview and waits for it. Pulumi's own
 * runner would check the types as well, eight seconds wherever this version has not run before.
 */
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { JUDGED } from "./sdk.mjs";

const { load } = createRequire(import.meta.url)("../launch/load.cjs");
const file = (name) => fileURLToPath(new URL(name, import.meta.url));

load(
  { pack: file("index.ts") },
  {
    replace: file("sdk.mjs"),
    // Not before the end, so that what judges resources is in it too, and not after the answer: the engine
    // kills the pack then.
    keep: (write) => process.once(JUDGED, write),
  },
).load("pack");
