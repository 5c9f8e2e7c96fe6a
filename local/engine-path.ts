/**
 * Where the engine finds the programs that it starts: an installed Pulumi with its own plugins, or
 * the built one, and the stand-ins for providers that are not installed.
 */
import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import * as fs from "node:fs/promises";
import * as os from "node:os";
import * as path from "node:path";
import { execa } from "execa";
import { parse } from "yaml";
import { kubernetesProvider, languageHost, pulumiCli } from "./artefacts";
import { writeStandIn } from "./standins/script";
import { ensureArtefact, ensureBundle, type ToolchainOptions } from "./toolchain";

/**
 * When the stand-ins of the random and digitalocean providers are used: where the real one is not
 * installed, or always, so that a test never reaches a real account.
 */
export type StandIns = "missing" | "always";

/** The first version that writes to Spaces without an error 403; older ones were not tried. */
const oldestPulumi = { major: 3, minor: 255 };
const standInNames = ["random", "digitalocean"];

const HOST = languageHost.command!.output;

/**
 * PATH for the engine, whose home is `home`, to run a project. Builds what is neither installed nor
 * built.
 */
export async function enginePath(
  home: string,
  project: string,
  standIns: StandIns,
  options: ToolchainOptions,
): Promise<string> {
  const folders: string[] = [];
  if (await installedPulumi()) {
    await shareInstalledPlugins(home);
  } else {
    // The engine looks for its language host beside itself, and for providers in its home.
    const host = await hostOptions(project);
    const beside = ([, folder]: string[]) => ({ [HOST]: languageHostScript(folder, host) });
    folders.push(await ensureBundle([pulumiCli, languageHost], beside, options));
    await installProvider(home, await ensureArtefact(kubernetesProvider, options));
  }
  folders.push(await standInFolder(home, standIns));
  return [...folders, process.env.PATH].join(path.delimiter);
}

/** How the project wants Node started: `runtime.options` of its Pulumi.yaml. */
async function hostOptions(project: string): Promise<Record<string, unknown>> {
  const { runtime } = parse(await fs.readFile(path.join(project, "Pulumi.yaml"), "utf8"));
  return runtime.options ?? {};
}

/**
 * The built language host is older than the engine: it takes a project's options as flags, which the
 * engine has ceased to send.
 */
function languageHostScript(folder: string, options: Record<string, unknown>): string {
  const flags = Object.entries(options).map(([name, value]) => `'-${name}=${value}'`);
  return `#!/bin/sh\nexec '${path.join(folder, HOST)}' ${flags.join(" ")} "$@"\n`;
}

/** Whether `pulumi` on PATH is new enough to be used. */
export async function installedPulumi(env: NodeJS.ProcessEnv = process.env): Promise<boolean> {
  const run = { reject: false, env, extendEnv: false } as const;
  const { stdout } = await execa("pulumi", ["version"], run);
  const [, major, minor] = /^v(\d+)\.(\d+)\./.exec(stdout ?? "") ?? [];
  return Number(major) === oldestPulumi.major && Number(minor) >= oldestPulumi.minor;
}

/** The installed engine's plugins, for a home that is not the user's. */
async function shareInstalledPlugins(home: string): Promise<void> {
  const userHome = process.env.PULUMI_HOME ?? path.join(os.homedir(), ".pulumi");
  const plugins = path.join(userHome, "plugins");
  if (existsSync(plugins) && !existsSync(path.join(home, "plugins"))) {
    await fs.symlink(plugins, path.join(home, "plugins"));
  }
}

/** Puts the built Kubernetes provider where the engine would have downloaded it to. */
async function installProvider(home: string, provider: string): Promise<void> {
  const folder = path.join(home, "plugins", "resource-kubernetes-v4.27.0");
  await fs.mkdir(folder, { recursive: true });
  await link(path.join(provider, "pulumi-resource-kubernetes"), folder);
}

/** A folder with the stand-ins to use, and only those: what is on PATH goes before a plugin. */
async function standInFolder(home: string, standIns: StandIns): Promise<string> {
  const folder = path.join(home, `stand-ins-${standIns}`);
  await fs.mkdir(folder, { recursive: true });
  for (const name of standInNames) {
    if (standIns === "always" || !(await isInstalled(home, name))) {
      await writeStandIn(name, folder);
    } else {
      await fs.rm(path.join(folder, `pulumi-resource-${name}`), { force: true });
    }
  }
  return folder;
}

/** Whether a real provider is there, as a plugin or on PATH. */
async function isInstalled(home: string, name: string): Promise<boolean> {
  const plugins = path.join(home, "plugins");
  const installed = existsSync(plugins) ? await fs.readdir(plugins) : [];
  const folders = (process.env.PATH ?? "").split(path.delimiter);
  return (
    installed.some((folder) => folder.startsWith(`resource-${name}-v`)) ||
    folders.some((folder) => existsSync(path.join(folder, `pulumi-resource-${name}`)))
  );
}

/** A link in `folder` to `target`; put in place whole, as another run may be using the old one. */
async function link(target: string, folder: string): Promise<void> {
  const file = path.join(folder, path.basename(target));
  const partial = path.join(folder, `.${path.basename(target)}.${randomUUID()}`);
  if ((await fs.readlink(file).catch(() => undefined)) !== target) {
    await fs.symlink(target, partial);
    await fs.rename(partial, file);
  }
}
