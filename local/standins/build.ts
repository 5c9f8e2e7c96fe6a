/**
 * Makes a stand-in the program that the engine looks for: one file, types stripped and modules found
 * once, because the engine starts it at each preview, and twice at each up.
 */
import { randomUUID } from "node:crypto";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { build } from "esbuild";

/** Writes `pulumi-resource-NAME` into `folder`, whole, as another run may be starting the old one. */
export async function buildStandIn(name: string, folder: string): Promise<void> {
  const partial = path.join(folder, `.${name}.${randomUUID()}`);
  await build({
    stdin: { contents: `require("./${name}.ts").serve()`, resolveDir: __dirname },
    banner: { js: "#!/usr/bin/env node" },
    bundle: true,
    platform: "node",
    target: "node20",
    outfile: partial,
  });
  await fs.chmod(partial, 0o755);
  await fs.rename(partial, path.join(folder, `pulumi-resource-${name}`));
}
