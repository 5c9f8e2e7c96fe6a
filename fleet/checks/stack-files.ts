/** The stacks of a project as its files state them: what can be known of a stack offline. */
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { parse } from "yaml";
import { SettingsError } from "../../components/settings";

const PREFIX = "matomo:";

/** Names of the stacks that have a settings file. */
async function stackNames(project: string): Promise<string[]> {
  const names = (await fs.readdir(project)).map((file) => /^Pulumi\.(.+)\.yaml$/.exec(file)?.[1]);
  return names.filter((name) => name !== undefined).sort();
}

/**
 * The stacks of a command's arguments, otherwise all.
 * @throws SettingsError when one has no file, or there is none at all: nothing judged is no success
 */
export async function chosenStacks(project: string, named: string[]): Promise<string[]> {
  const known = await stackNames(project);
  if (!known.length) throw new SettingsError([`${project}: found no Pulumi.STACK.yaml`]);
  const missing = named.filter((name) => !known.includes(name));
  if (missing.length) {
    throw new SettingsError(
      missing.map((name) => `stack: found "${name}"; allowed: one of ${known.join(", ")}`),
    );
  }
  return named.length ? named : known;
}

/**
 * The raw configuration of a stack, as the engine would hand it to the program.
 * @throws SettingsError for a value that only the stack's key opens
 */
export async function rawConfiguration(
  project: string,
  stack: string,
): Promise<Record<string, string>> {
  const text = await fs.readFile(path.join(project, `Pulumi.${stack}.yaml`), "utf8");
  const config = Object.entries<unknown>(parse(text)?.config ?? {});
  const own = config.filter(([key]) => key.startsWith(PREFIX));
  const encrypted = own.filter(([, value]) => isEncrypted(value)).map(([key]) => key);
  if (encrypted.length) {
    throw new SettingsError(
      encrypted.map((key) => `${key}: found a secret; allowed: plain text, no setting is a secret`),
    );
  }
  return Object.fromEntries(own.map(([key, value]) => [key.slice(PREFIX.length), asText(value)]));
}

function isEncrypted(value: unknown): boolean {
  return typeof value === "object" && value !== null && "secure" in value;
}

function asText(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
