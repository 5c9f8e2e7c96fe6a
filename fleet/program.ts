/** The command line: every command with its options and examples; one file a command in commands/. */
import { Command } from "commander";
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
import { addGlobalOptions, type Register, type Run } from "./fleet";

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

/** What people type, by command; each stands in the command's own help and in the program's. */
const EXAMPLES: Record<string, string[]> = {
  init: ["paris --domain stats.example.fr --email ops@example.fr --cluster paris"],
  preview: ["--all", "liberty yonks --json"],
  up: ["liberty", "--all --yes"],
  status: ["--all", "liberty --no-drift"],
  check: ["liberty"],
  drift: ["--all"],
  archive: ["liberty"],
  backup: ["liberty"],
  backups: ["liberty"],
  restore: ["liberty --from newest"],
  "repair-volume": ["yonks backup", "yonks data"],
  credentials: ["liberty"],
  "cleanup-helm": ["--all", "liberty --keep 3 --yes"],
  adopt: ["liberty", "liberty --yes", "liberty --undo"],
};

const examples = (name: string) =>
  EXAMPLES[name].map((rest) => `  npm run fleet -- ${name} ${rest}`).join("\n");

const ENVIRONMENT = `
Exit codes: 0 fine, 1 something is wrong, 2 refused before anything was touched, 130 interrupted.
Clusters, credentials and state are those of the stacks and of your own pulumi login;
DIGITALOCEAN_TOKEN reads the kubeconfig of a stack whose cluster is named by "doks".`;

/** The program; each command's work goes to `run`. */
export function fleetProgram(run: Run): Command {
  const program = addGlobalOptions(new Command("npm run fleet --"))
    .description("Runs the fleet: one Matomo site a stack, one stack a cluster.")
    .exitOverride();
  for (const register of COMMANDS) {
    register(program, run);
  }
  for (const command of program.commands) {
    command.addHelpText("after", `\nExamples:\n${examples(command.name())}`);
  }
  const all = program.commands.map((command) => examples(command.name())).join("\n");
  return program.addHelpText("after", `\nExamples:\n${all}\n${ENVIRONMENT}`);
}
