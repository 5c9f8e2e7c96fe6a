/**
 * Runs the Pulumi engine with a home, a backend and a passphrase of its own: the user's login, stacks
 * and keys are never touched. An installed `pulumi` is used when it is new enough, else the one that
 * the toolchain builds.
 */
import { randomBytes, randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { execa, type Options } from "execa";
import { parse, stringify } from "yaml";
import { enginePath, type StandIns } from "./engine-path";
import { checkout } from "./paths";
import type { ToolchainOptions } from "./toolchain";

export interface EngineOptions extends ToolchainOptions {
  /** The cluster that the digitalocean stand-in answers with. Default: STATE/kubeconfig. */
  kubeconfig?: string;
  /** Default: missing. */
  standIns?: StandIns;
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
  pulumi(args: string[], options?: RunOptions): Promise<PulumiResult>;
}

export interface PulumiResult {
  stdout: string;
  stderr: string;
  /** Not 0 only with `process: { reject: false }`; undefined when a signal ended it. */
  exitCode?: number;
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
  await withoutLog(home);
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    PATH: await enginePath(home, project, options.standIns ?? "missing", options),
    PULUMI_HOME: home,
    // Without sidecar files: their writes are not atomic, and a killed engine left an empty one, with
    // which the state cannot be read any more. The state itself is renamed into its place.
    PULUMI_BACKEND_URL: `file://${backend}?metadata=skip`,
    PULUMI_CONFIG_PASSPHRASE: await passphrase(stateFolder),
    // The stacks' files in git hold no key of this engine; the stack's state does.
    PULUMI_FALLBACK_TO_STATE_SECRETS_MANAGER: "true",
    PULUMI_SKIP_UPDATE_CHECK: "true",
    MATOMO_LOCAL_KUBECONFIG: options.kubeconfig ?? path.join(stateFolder, "kubeconfig"),
    MATOMO_LOCAL_CLOUD: path.join(stateFolder, "cluster", "cloud.json"),
    ...(await cloudApi(stateFolder)),
  };
  const run = async (
    args: string[],
    { env: more, process: rest }: RunOptions = {},
  ): Promise<PulumiResult> => {
    const environment = { env: { ...env, ...more }, extendEnv: false };
    const result = await execa("pulumi", args, { cwd: project, ...rest, ...environment });
    const { stdout, stderr, exitCode } = result;
    return { stdout: String(stdout ?? ""), stderr: String(stderr ?? ""), exitCode };
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

/**
 * Keeps the engine from writing every step, encrypted, to its home: that is half of what a preview costs,
 * nobody reads it, and no setting turns it off. It goes on without where the folder cannot be made.
 */
async function withoutLog(home: string): Promise<void> {
  const folder = path.join(home, "logs");
  if (existsSync(folder) && (await fs.stat(folder)).isFile()) return;
  await fs.rm(folder, { recursive: true, force: true });
  await fs.writeFile(folder, "The engine of this folder writes no log.\n");
}

/** What whoever asks DigitalOcean's API by itself reads, where the stand-in's cloud runs. */
async function cloudApi(stateFolder: string): Promise<NodeJS.ProcessEnv> {
  const file = path.join(stateFolder, "cluster", "cloud.json");
  if (!existsSync(file)) return {};
  const { url } = JSON.parse(await fs.readFile(file, "utf8")) as { url: string };
  // The person's own token is for no other address.
  return { DIGITALOCEAN_API_URL: url, DIGITALOCEAN_TOKEN: "stand-in" };
}

/** Encrypts the secrets of this state folder's stacks; made once, of its owner alone. */
async function passphrase(stateFolder: string): Promise<string> {
  const file = path.join(stateFolder, "passphrase");
  if (!existsSync(file)) {
    const partial = `${file}.${randomUUID()}`;
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
