/**
 * `npm run clean`: ends the embedded cluster and removes it with the engine's state. `--cache` also
 * removes what was built, for every checkout of this user.
 */
import { existsSync, readdirSync } from "node:fs";
import * as fs from "node:fs/promises";
import { Command } from "commander";
import { stopCluster } from "./cluster";
import { runCommand, UserError } from "./errors";
import { cacheFolder, contextsFolder, defaultStateFolder } from "./paths";

const program = new Command("npm run clean --")
  .description("Removes the embedded cluster and the state of the stack `local`.")
  .option("--cache", "also remove the binaries that were built")
  .option("--forget-contexts", "also forget what was deployed with --context; it stays deployed")
  .action(clean);

runCommand(async () => {
  await program.parseAsync();
});

async function clean(options: { cache?: boolean; forgetContexts?: boolean }): Promise<void> {
  const contexts = existsSync(contextsFolder) ? readdirSync(contextsFolder) : [];
  if (contexts.length > 0 && !options.forgetContexts) {
    throw new UserError(
      `Found the state of deployments to your own clusters: ${contexts.join(", ")}. ` +
        "Destroy them first (npm run local -- pulumi --context NAME destroy), " +
        "or leave them deployed and add --forget-contexts.",
    );
  }
  await stopCluster(defaultStateFolder);
  const folders = [defaultStateFolder, ...(options.cache ? [cacheFolder()] : [])];
  for (const folder of folders) {
    await fs.rm(folder, { recursive: true, force: true });
    console.log(`Removed ${folder}`);
  }
}
