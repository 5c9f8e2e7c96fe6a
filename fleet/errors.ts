/** How a fleet command ends other than well; exit codes are in index.ts. */

/** The command was called wrongly, or asks for something that it was not told. Nothing was touched. */
export class UsageError extends Error {}

/** The work was done and something is wrong; the message says all, a stack trace would add nothing. */
export class Failure extends Error {}

/** Ctrl-C or SIGTERM; `next` is how to go on, where something was begun. */
export class Interrupted extends Error {
  constructor(next?: string) {
    super(next === undefined ? "interrupted" : `interrupted. ${next}`);
  }
}

/**
 * What a person has to bring before the engine can begin, by the words in which it misses it: none of them
 * names the command that brings it.
 */
const MISSING: [RegExp, (found: string) => string][] = [
  [
    /\bENOENT: pulumi\b|\bspawn pulumi ENOENT\b/,
    () => "pulumi is not installed, or not on the PATH: curl -fsSL https://get.pulumi.com | sh",
  ],
  [
    /PULUMI_ACCESS_TOKEN must be set for login/,
    () =>
      "pulumi is not logged in: pulumi login, with the backend that has the stacks " +
      "(or export PULUMI_BACKEND_URL, and PULUMI_ACCESS_TOKEN where it asks for one)",
  ],
  [
    /passphrase must be set with PULUMI_CONFIG_PASSPHRASE/,
    () =>
      "the passphrase of the stack's secrets is not set: export PULUMI_CONFIG_PASSPHRASE, or " +
      "PULUMI_CONFIG_PASSPHRASE_FILE with the name of a file that has it",
  ],
  [
    /\bincorrect passphrase\b/,
    () => "PULUMI_CONFIG_PASSPHRASE is not the one with which the stack's secrets were encrypted",
  ],
  [
    /no stack named '([^']+)' found/,
    (stack) =>
      `the backend that pulumi is logged in to (pulumi whoami --verbose) has no stack ${stack}: pulumi login, ` +
      `with the one that has it, or make it: pulumi stack init ${stack}`,
  ],
];

/** What is missing on this machine, in one line; undefined where the error is another. */
export function missingPart(error: unknown): string | undefined {
  const text = error instanceof Error ? error.message : String(error);
  for (const [pattern, line] of MISSING) {
    const match = pattern.exec(text);
    if (match) return line(match[1]);
  }
  return undefined;
}

/** The reason, without the class's name. */
export function reason(error: unknown): string {
  return missingPart(error) ?? (error instanceof Error ? error.message : String(error));
}
