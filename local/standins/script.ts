/**
 * Makes a stand-in the program that the engine looks for, which starts it at each preview, and twice at
 * each up: a script that loads it as one file (launch/load.cjs).
 */
import { randomUUID } from "node:crypto";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { checkout } from "../paths";

const LOAD = path.join(checkout, "launch", "load.cjs");

/** Writes `pulumi-resource-NAME` into `folder`, whole, as another run may be starting the old one. */
export async function writeStandIn(name: string, folder: string): Promise<void> {
  const partial = path.join(folder, `.${name}.${randomUUID()}`);
  const text = (value: unknown) => JSON.stringify(value);
  // The engine may kill it: what V8 compiled is kept at once.
  await fs.writeFile(
    partial,
    `#!/usr/bin/env node
const { load } = require(${text(LOAD)});
const keep = (write) => setImmediate(write);
load({ standIn: ${text(path.join(__dirname, `${name}.ts`))} }, { keep }).load("standIn").serve();
`,
    { mode: 0o755 },
  );
  await fs.rename(partial, path.join(folder, `pulumi-resource-${name}`));
}
