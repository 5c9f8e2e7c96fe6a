/**
 * Runs the Pulumi engine with a home, a backend and a passphrase of its own: the user's login, stacks
 * and keys are never touched. An installed `pulumi` is used when it is new enough, else the one that
 * the toolchain builds.
 */
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import * as fs from "node:fs/promises";
import * as os from "node:os";
import * as path from "node:path";
import { execa, type Options } from "execa";
import { parse, stringify } from "yaml";
import { engineArtefacts } from "./artefacts";
import { checkout } from "./paths";
import { ensureArtefact, type ToolchainOptions } from "./toolchain";

/** The first version that can write to Spaces again, and the oldest that was tried. */
const oldestPulumi = [3, 255];

export interface EngineOptions extends ToolchainOptions {
  /** The cluster that the digitalocean stand-in answers with. Default: STATE/kubeconfig. */
  kubeconfig?: string;
  /**
   * When the stand-ins of the random and digitalocean providers are used: where the real one is not
   * installed, or always, so that a test can never reach a real account. Default: missing.
   */
  standIns?: "missing" | "always";
  /** Folder of the Pulumi project. Default: the checkout. */
  project?: string;
}

export interface RunOptions {
  /** Stack for the command; it is made if it does not exist. Default: the command names none. */
  stack?: string;
  /** Settings over those of the stack's file, by full key. */
  config?: Record<string, unknown>;
  /** Added to the engine's environment. */
  env?: NodeJS.ProcessEnv;
  /** Options of the process: input, stdio, reject, timeout. */
  process?: Options;
}

export interface Engine {
  /** Environment in which `pulumi`, the Automation API and the program find all they need. */
  env: NodeJS.ProcessEnv;
  /** The settings file of a stack within the state folder, brought up to date; for --config-file. */
  stackFile(stack: string, config?: Record<string, unknown>): Promise<string>;
  /** Runs the CLI; rejects when it fails, with its output in the error. */
  pulumi(args: string[], options?: RunOptions): Promise<{ stdout: string; stderr: string }>;
}

/** Commands that read a stack's settings from a file. */
const takesConfigFile = ["config", "destroy", "import", "preview", "refresh", "up", "watch"];

/** Prepares an engine whose state is in `stateFolder`. */
export async function openEngine(
  stateFolder: string,
  options: EngineOptions = {},
): Promise<Engine> {
  const project = options.project ?? checkout;
  const stacks = path.join(stateFolder, "stacks");
  const backend = path.join(stateFolder, "backend");
  const home = path.join(stateFolder, "pulumi");
  for (const folder of [stateFolder, stacks, backend, home]) {
    await fs.mkdir(folder, { recursive: true, mode: 0o700 });
  }
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    PATH: await enginePath(home, options),
    PULUMI_HOME: home,
    PULUMI_BACKEND_URL: `file://${backend}`,
    PULUMI_CONFIG_PASSPHRASE: await passphrase(stateFolder),
    // The stacks' files in git hold no key of this engine; the stack's state does.
    PULUMI_FALLBACK_TO_STATE_SECRETS_MANAGER: "true",
    PULUMI_SKIP_UPDATE_CHECK: "true",
    MATOMO_LOCAL_KUBECONFIG: options.kubeconfig ?? path.join(stateFolder, "kubeconfig"),
    MATOMO_LOCAL_CLOUD: path.join(stateFolder, "cluster", "cloud.json"),
  };
  const run = async (args: string[], { env: more, process: rest }: RunOptions = {}) => {
    const environment = { env: { ...env, ...more }, extendEnv: false };
    const result = await execa("pulumi", args, { cwd: project, ...rest, ...environment });
    return { stdout: String(result.stdout ?? ""), stderr: String(result.stderr ?? "") };
  };
  const stackFile = async (stack: string, config: Record<string, unknown> = {}) => {
    await copyProjectFile(project, stacks);
    const file = path.join(stacks, `Pulumi.${stack}.yaml`);
    if (!existsSync(stateFile(backend, await projectName(project), stack))) {
      // Made beside the copy: the command writes the new stack's key into the stack's file.
      await run(["stack", "init", stack, "--no-select", "--cwd", stacks]);
    }
    await writeStackFile(path.join(project, `Pulumi.${stack}.yaml`), file, config);
    return file;
  };
  return {
    env,
    stackFile,
    pulumi: async (args, options = {}) => {
      if (options.stack === undefined) {
        return run(args, options);
      }
      const file = await stackFile(options.stack, options.config);
      const fileArgs = takesConfigFile.includes(args[0]) ? ["--config-file", file] : [];
      return run([...args, "--stack", options.stack, ...fileArgs], options);
    },
  };
}

/** PATH with everything that the engine starts; what is installed goes before what is built. */
async function enginePath(home: string, options: EngineOptions): Promise<string> {
  const folders: string[] = [];
  if (await installedPulumi()) {
    await shareInstalledPlugins(home);
  } else {
    for (const artefact of engineArtefacts) {
      folders.push(await ensureArtefact(artefact, options));
    }
  }
  if (options.standIns === "always" || !(await realProvidersInstalled(home))) {
    folders.push(path.join(checkout, "local", "standins", "bin"));
  }
  return [...folders, process.env.PATH].join(path.delimiter);
}

/** Whether `pulumi` on PATH is new enough to be used. */
export async function installedPulumi(): Promise<boolean> {
  const { stdout, exitCode } = await execa("pulumi", ["version"], { reject: false });
  const [, major, minor] = /^v(\d+)\.(\d+)\./.exec(String(stdout)) ?? [];
  return exitCode === 0 && Number(major) === oldestPulumi[0] && Number(minor) >= oldestPulumi[1];
}

/** The installed engine's plugins, for a home that is not the user's. */
async function shareInstalledPlugins(home: string): Promise<void> {
  const plugins = path.join(userHome(), "plugins");
  if (existsSync(plugins) && !existsSync(path.join(home, "plugins"))) {
    await fs.symlink(plugins, path.join(home, "plugins"));
  }
}

/** Whether both providers that have a stand-in are installed as plugins or on PATH. */
async function realProvidersInstalled(home: string): Promise<boolean> {
  const plugins = path.join(home, "plugins");
  const installed = existsSync(plugins) ? await fs.readdir(plugins) : [];
  const onPath = (process.env.PATH ?? "").split(path.delimiter);
  return ["random", "digitalocean"].every(
    (name) =>
      installed.some((folder) => folder.startsWith(`resource-${name}-v`)) ||
      onPath.some((folder) => existsSync(path.join(folder, `pulumi-resource-${name}`))),
  );
}

function userHome(): string {
  return process.env.PULUMI_HOME ?? path.join(os.homedir(), ".pulumi");
}

/** Encrypts the secrets of this state folder's stacks; made once, of its owner alone. */
async function passphrase(stateFolder: string): Promise<string> {
  const file = path.join(stateFolder, "passphrase");
  if (!existsSync(file)) {
    const partial = `${file}.${process.pid}`;
    await fs.writeFile(partial, randomBytes(32).toString("base64url"), { mode: 0o600 });
    // A link fails when another run was first, whose passphrase then counts.
    await fs.link(partial, file).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") {
        throw error;
      }
    });
    await fs.rm(partial);
  }
  return fs.readFile(file, "utf8");
}

async function projectName(project: string): Promise<string> {
  return parse(await fs.readFile(path.join(project, "Pulumi.yaml"), "utf8")).name;
}

/** Enough of a project beside the stacks' files for `pulumi stack init` to know its name. */
async function copyProjectFile(project: string, stacks: string): Promise<void> {
  const text = stringify({ name: await projectName(project), runtime: "nodejs" });
  await fs.writeFile(path.join(stacks, "Pulumi.yaml"), text);
}

function stateFile(backend: string, project: string, stack: string): string {
  return path.join(backend, ".pulumi", "stacks", project, `${stack}.json`);
}

/** The stack's settings as they are in the checkout, with `config` over them. */
async function writeStackFile(source: string, file: string, config: Record<string, unknown>) {
  const stack = existsSync(source) ? (parse(await fs.readFile(source, "utf8")) ?? {}) : {};
  // Keys of the team's engine: this one's are in its own state.
  for (const key of ["encryptionsalt", "secretsprovider", "encryptedkey"]) {
    delete stack[key];
  }
  await fs.writeFile(file, stringify({ ...stack, config: { ...stack.config, ...config } }));
}
