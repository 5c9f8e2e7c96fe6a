/**
 * `npm run fleet -- COMMAND`: what spans clusters, or is no deployment. One file a command in
 * commands/; each takes its cluster from its stack's settings.
 *
 * Exit codes: 0 all is well; 1 something is wrong, or failed; 2 the command line or the settings are
 * refused, and nothing was touched; 130 interrupted.
 */
import { Command, CommanderError } from "commander";
import { registerAdopt } from "./commands/adopt";
import { registerBackups } from "./commands/backups";
import { registerCheck } from "./commands/check";
import { registerCleanupHelm } from "./commands/cleanup-helm";
import { registerCredentials } from "./commands/credentials";
import { registerDrift } from "./commands/drift";
import { registerInit } from "./commands/init";
import { registerPreview } from "./commands/preview";
import { registerRepairVolume } from "./commands/repair-volume";
import { registerRestore } from "./commands/restore";
import { registerJobs } from "./commands/run-job";
import { registerStatus } from "./commands/status";
import { registerUp } from "./commands/up";
import { Failure, Interrupted, reason } from "./errors";
import { addGlobalOptions, listenToSignals, openFleet, type Register, type Run } from "./fleet";
import { isRefusal } from "./run";

const COMMANDS: Register[] = [
  registerInit,
  registerPreview,
  registerUp,
  registerStatus,
  registerCheck,
  registerDrift,
  registerJobs,
  registerBackups,
  registerRestore,
  registerRepairVolume,
  registerCredentials,
  registerCleanupHelm,
  registerAdopt,
];

const EXAMPLES = `
Examples:
  npm run fleet -- preview --all           what an up would do on every cluster
  npm run fleet -- up liberty              deploy one stack
  npm run fleet -- adopt liberty           what taking over the Helm release would change

Exit codes: 0 fine, 1 something is wrong, 2 refused before anything was touched, 130 interrupted.
Clusters, credentials and state are those of the stacks and of your own pulumi login;
DIGITALOCEAN_TOKEN reads the kubeconfig of a stack whose cluster is named by "doks".`;

const EXIT = { wrong: 1, refused: 2, interrupted: 130 };

const signals = listenToSignals();

const run: Run = async (command, work) => {
  const fleet = openFleet(command, signals);
  const { output } = fleet;
  try {
    const { ok, json, text } = await work(fleet);
    output.write(output.json ? JSON.stringify(json, undefined, 2) : text);
    process.exitCode = ok ? 0 : EXIT.wrong;
  } catch (error) {
    const stop = signals.interrupted.aborted ? new Interrupted() : error;
    output.note(isExpected(stop) ? `fleet: ${reason(stop)}` : String((stop as Error).stack));
    if (output.json) output.write(JSON.stringify({ error: reason(stop) }, undefined, 2));
    process.exitCode = exitCode(stop);
  }
};

function isExpected(error: unknown): boolean {
  return error instanceof Failure || error instanceof Interrupted || isRefusal(error);
}

function exitCode(error: unknown): number {
  if (error instanceof Interrupted) return EXIT.interrupted;
  return isRefusal(error) ? EXIT.refused : EXIT.wrong;
}

const program = addGlobalOptions(new Command("npm run fleet --"))
  .description("Runs the fleet: one Matomo site a stack, one stack a cluster.")
  .addHelpText("after", EXAMPLES)
  .exitOverride();
for (const register of COMMANDS) {
  register(program, run);
}

program
  .parseAsync()
  .catch((error: unknown) => {
    if (error instanceof CommanderError) {
      // Commander has said what is wrong; help that was asked for is fine.
      process.exitCode = error.exitCode === 0 ? 0 : EXIT.refused;
    } else {
      console.error(error);
      process.exitCode = EXIT.wrong;
    }
  })
  // Whatever connection is still open is nobody's: a command that is done ends.
  .finally(() => process.stdout.write("", () => process.exit()));
