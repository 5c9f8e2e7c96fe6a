/** The command line: every command with its options and examples; one file a command in commands/. */
import { Command } from "commander";
import { addGlobalOptions, type Register, type Run } from "./fleet";

/** Where each command is. Loading all of them takes seconds, and a person runs one. */
const COMMANDS: Record<string, () => Promise<Register>> = {
  init: async () => (await import("./commands/init")).registerInit,
  preview: async () => (await import("./commands/preview")).registerPreview,
  up: async () => (await import("./commands/up")).registerUp,
  status: async () => (await import("./commands/status")).registerStatus,
  check: async () => (await import("./commands/check")).registerCheck,
  drift: async () => (await import("./commands/drift")).registerDrift,
  archive: async () => (await import("./commands/run-job")).registerArchive,
  backup: async () => (await import("./commands/run-job")).registerBackup,
  backups: async () => (await import("./commands/backups")).registerBackups,
  restore: async () => (await import("./commands/restore")).registerRestore,
  rollback: async () => (await import("./commands/rollback")).registerRollback,
  "repair-volume": async () => (await import("./commands/repair-volume")).registerRepairVolume,
  credentials: async () => (await import("./commands/credentials")).registerCredentials,
  "cleanup-helm": async () => (await import("./commands/cleanup-helm")).registerCleanupHelm,
  adopt: async () => (await import("./commands/adopt")).registerAdopt,
};

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
  backups: ["liberty", "delete liberty 2026-01-31T030000Z", "prune liberty --keep-days 7 --others"],
  restore: ["liberty --from newest"],
  rollback: ["liberty"],
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

/**
 * The program; each command's work goes to `run`.
 * @param words those of a command line: only commands that it can mean are loaded. Default: all are
 */
export async function fleetProgram(run: Run, words: string[] = []): Promise<Command> {
  const program = addGlobalOptions(new Command("npm run fleet --"))
    .description("Runs the fleet: one Matomo site a stack, one stack a cluster.")
    .exitOverride();
  for (const name of meant(words)) {
    const register = await COMMANDS[name]();
    register(program, run);
  }
  for (const command of program.commands) {
    command.addHelpText("after", `\nExamples:\n${examples(command.name())}`);
  }
  const all = program.commands.map((command) => examples(command.name())).join("\n");
  return program.addHelpText("after", `\nExamples:\n${all}\n${ENVIRONMENT}`);
}

/** Names of commands among the words; of all of them where the program itself is asked for help. */
function meant(words: string[]): string[] {
  const all = Object.keys(COMMANDS);
  const names = all.filter((name) => words.includes(name));
  const isAsked = words.includes("help") || /^(-h|--help)$/.test(words[0] ?? "");
  return names.length === 0 || isAsked ? all : names;
}
