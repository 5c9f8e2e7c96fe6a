/**
 * The fleet's stacks, as their files say: found, and checked with the program's own schema and words,
 * without the engine.
 */
import { existsSync } from "node:fs";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import type { Stack as EngineStack } from "@pulumi/pulumi/automation";
import { parse } from "yaml";
import {
  clearText,
  OFFSITE_SECRETS,
  parseSettings,
  type Settings,
  SettingsError,
} from "../components/settings";
import { UsageError } from "./errors";
import type { Fleet } from "./fleet";

/** A stack by its file. */
export interface Stack {
  name: string;
  /** The file with its settings. */
  file: string;
}

/** For a person's own machine, and no part of the fleet. */
const LOCAL = "local";

/** All stacks of the folder, by name. */
export async function findStacks({ stacks }: Fleet): Promise<Stack[]> {
  if (!existsSync(stacks)) {
    throw new UsageError(`--stacks: found "${stacks}"; allowed: a folder that exists`);
  }
  return (await fs.readdir(stacks))
    .map((entry) => ({ name: /^Pulumi\.(.+)\.ya?ml$/.exec(entry)?.[1], entry }))
    .filter((found): found is { name: string; entry: string } => found.name !== undefined)
    .map(({ name, entry }) => ({ name, file: path.join(stacks, entry) }))
    .sort((a, b) => a.name.localeCompare(b.name));
}

/** The stacks that a command line names; `--all` is every one but `local`. */
export async function chooseStacks(fleet: Fleet, names: string[], all = false): Promise<Stack[]> {
  const known = await findStacks(fleet);
  const fleetNames = known.map(({ name }) => name);
  const listed = fleetNames.join(", ") || "there is no Pulumi.STACK.yaml";
  if (all && names.length) throw new UsageError("name stacks or say --all, not both");
  if (all) {
    const chosen = known.filter(({ name }) => name !== LOCAL);
    if (!chosen.length) throw new UsageError(`no stack in ${fleet.stacks}`);
    return chosen;
  }
  if (!names.length) throw new UsageError(`which stack? One of: ${listed}; or --all`);
  return [...new Set(names)].map((name) => {
    const found = known.find((stack) => stack.name === name);
    if (!found) throw new UsageError(`no stack "${name}" in ${fleet.stacks}; there are: ${listed}`);
    return found;
  });
}

/** The one stack that a command line names. */
export async function chooseStack(fleet: Fleet, name: string): Promise<Stack> {
  return (await chooseStacks(fleet, [name]))[0];
}

/**
 * The stack's settings. What is encrypted in its file has a placeholder: no command needs it, as the
 * cluster's Secrets have it.
 * @throws SettingsError with every fault at once, in the words of the program itself
 */
export async function readSettings(fleet: Fleet, stack: Stack): Promise<Settings> {
  return parseStackFile(await fs.readFile(stack.file, "utf8"), await projectName(fleet));
}

/** Settings out of a stack file's text. */
export function parseStackFile(text: string, project: string): Settings {
  const config = (parse(text) as { config?: Record<string, unknown> } | null)?.config ?? {};
  const prefix = `${project}:`;
  const own = Object.entries(config).filter(([key]) => key.startsWith(prefix));
  const problems: string[] = [];
  const raw = own.map(([key, value]): [string, string] => {
    const short = key.slice(prefix.length);
    const clear = withoutCipher(value, [short], problems);
    return [short, typeof clear === "string" ? clear : JSON.stringify(clear)];
  });
  if (problems.length) throw new SettingsError(problems);
  return parseSettings(Object.fromEntries(raw));
}

/** In the place of what is encrypted. */
const ENCRYPTED = "encrypted-in-the-file";

/** The value with placeholders; notes what is encrypted and need not be, or should be and is not. */
function withoutCipher(value: unknown, path: string[], problems: string[]): unknown {
  const [group, part, last] = path;
  const isSecret =
    path.length === 3 &&
    `${group}.${part}` === "backup.offsite" &&
    (OFFSITE_SECRETS as readonly string[]).includes(last);
  if (typeof value !== "object" || value === null) {
    if (isSecret) {
      problems.push(clearText(path.join(".")));
    }
    return value;
  }
  if ("secure" in value) {
    if (isSecret) return ENCRYPTED;
    problems.push(
      `matomo:${path.join(".")}: found an encrypted value; allowed: clear text, as it is no secret`,
    );
    return undefined;
  }
  if (Array.isArray(value)) {
    return value.map((one, i) => withoutCipher(one, [...path, String(i)], problems));
  }
  return Object.fromEntries(
    Object.entries(value).map(([name, one]) => [
      name,
      withoutCipher(one, [...path, name], problems),
    ]),
  );
}

/**
 * That an option which replaces or removes what is there says the site's host name.
 * @throws UsageError when it says another one; not said, it is asked for later
 */
export function assertHostName(
  option: string,
  said: string | undefined,
  stack: string,
  { domain }: Pick<Settings, "domain">,
): void {
  if (said === undefined || said === domain) return;
  throw new UsageError(`${option}: found "${said}"; allowed: ${domain}, the host name of ${stack}`);
}

/** Name of the Pulumi project, which is the prefix of its settings; `option` is what named its folder. */
export async function projectName(
  { project }: Pick<Fleet, "project">,
  option = "--cwd",
): Promise<string> {
  const file = path.join(project, "Pulumi.yaml");
  if (!existsSync(file)) {
    throw new UsageError(`${option}: found "${project}"; allowed: a folder with a Pulumi.yaml`);
  }
  return (parse(await fs.readFile(file, "utf8")) as { name: string }).name;
}

/** The stack in the engine. Each operation is given `engineOptions`. */
export async function openStack(fleet: Fleet, stack: Stack): Promise<EngineStack> {
  // Not before: loading it takes longer than most of what a command does without it.
  const automation = await import("@pulumi/pulumi/automation");
  const workspace = await automation.LocalWorkspace.create({ workDir: fleet.project });
  // Selecting would change which stack a person's next `pulumi` command means. An operation on one
  // that does not exist says so itself.
  workspace.selectStack = () => Promise.resolve();
  // After an update it would read all outputs in clear, and the history, which nobody needs here; both
  // write the backend's key into the stack's file of the project, whichever file the stack has.
  workspace.stackOutputs = () => Promise.resolve({});
  const engine = await automation.Stack.select(stack.name, workspace);
  engine.history = () => Promise.resolve([]);
  return engine;
}

/** Options of every operation of the engine. */
export function engineOptions(fleet: Fleet, stack: Stack) {
  return {
    configFile: stack.file,
    color: "never" as const,
    suppressProgress: true,
    suppressOutputs: true,
    userAgent: "matomo-fleet",
    signal: fleet.stopEngine,
  };
}
