/**
 * Builds the artefacts of artefacts.ts and keeps them in the user's cache, each in a folder named by
 * everything it was built from. A folder is there when it is complete and not before: it is filled
 * under another name and renamed, by one run at a time.
 */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { execa, ExecaError } from "execa";
import * as lockfile from "proper-lockfile";
import type { Artefact } from "./artefacts";
import {
  DownloadError,
  downloading,
  type DownloadPatience,
  endIfStalled,
  lastWords,
} from "./downloads";
import { goEnvironment, requireGo } from "./go";
import { cacheFolder, checkout } from "./paths";

/** Called with one line at a time about what is being done. */
export type Report = (line: string) => void;

export interface ToolchainOptions {
  /** Cache folder. Default: matomo-fleet in the user's cache folder. */
  cache?: string;
  /** Folder that holds one folder per artefact with its go.mod. Default: local/go. */
  sources?: string;
  /** Progress of the build. Default: silent. */
  report?: Report;
  /** How patient its downloads are. Default: enough for a server that is away for two minutes. */
  patience?: DownloadPatience;
}

/** The folder of an artefact, built if it is not there yet. */
export async function ensureArtefact(
  artefact: Artefact,
  options: ToolchainOptions = {},
): Promise<string> {
  const { source, folder } = await locate(artefact, options);
  if (existsSync(folder)) {
    return folder;
  }
  await requireGo();
  const cache = path.dirname(folder);
  await fs.mkdir(cache, { recursive: true });
  const report = options.report ?? (() => undefined);
  const release = await lock(path.join(cache, artefact.name), report);
  try {
    // Another run may have built it while this one waited for the lock.
    if (!existsSync(folder)) {
      await build(artefact, source, folder, { report, patience: options.patience });
    }
  } finally {
    await release();
  }
  return folder;
}

/** Whether an artefact need not be built. */
export async function isBuilt(artefact: Artefact, options: ToolchainOptions = {}) {
  return existsSync((await locate(artefact, options)).folder);
}

/** Where an artefact is built from, and the folder that is there once it is. */
async function locate(artefact: Artefact, { cache, sources }: ToolchainOptions) {
  const source = path.join(sources ?? path.join(checkout, "local", "go"), artefact.name);
  const name = `${artefact.name}-${await artefactKey(artefact, source)}`;
  return { source, folder: path.join(cache ?? cacheFolder(), name) };
}

/**
 * One folder with the commands of several artefacts, for a command that looks for another one beside
 * itself. A script takes the place of the command of its name, whose folder it is given.
 */
export async function ensureBundle(
  artefacts: Artefact[],
  scripts: (folders: string[]) => Record<string, string>,
  options: ToolchainOptions = {},
): Promise<string> {
  const folders: string[] = [];
  for (const artefact of artefacts) {
    folders.push(await ensureArtefact(artefact, options));
  }
  const names = folders.map((folder) => path.basename(folder));
  const beside = scripts(folders);
  const parts = JSON.stringify([names, beside]);
  const key = createHash("sha256").update(parts).digest("hex").slice(0, 16);
  const bundle = path.join(path.dirname(folders[0]), `bundle-${key}`);
  if (!existsSync(bundle)) {
    const partial = await fs.mkdtemp(`${bundle}.partial-`);
    for (const folder of folders) {
      for (const file of await fs.readdir(folder)) {
        if (!(file in beside)) await fs.link(path.join(folder, file), path.join(partial, file));
      }
    }
    for (const [name, text] of Object.entries(beside)) {
      await fs.writeFile(path.join(partial, name), text, { mode: 0o755 });
    }
    await fs.rename(partial, bundle).catch(async (error: NodeJS.ErrnoException) => {
      // Another run made the same folder of the same files.
      await fs.rm(partial, { recursive: true });
      if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") {
        throw error;
      }
    });
  }
  return bundle;
}

/** A hash over everything that decides what comes out of the build. */
export async function artefactKey(artefact: Artefact, source: string): Promise<string> {
  const hash = createHash("sha256");
  hash.update(JSON.stringify([process.platform, process.arch, artefact.command, artefact.links]));
  hash.update(String(artefact.files));
  for (const file of (await fs.readdir(source)).sort()) {
    hash.update(`\n${file}\n`).update(await fs.readFile(path.join(source, file)));
  }
  return hash.digest("hex").slice(0, 16);
}

async function lock(target: string, report: Report): Promise<() => Promise<void>> {
  const options = { realpath: false, stale: 30_000, update: 5_000 };
  if (await lockfile.check(target, options)) {
    report("waiting for another run that builds it");
  }
  // A holder that died stops renewing its lock, which is then taken over: no need to give up.
  return lockfile.lock(target, {
    ...options,
    retries: { forever: true, minTimeout: 200, maxTimeout: 2_000 },
  });
}

/** Told of a build's progress, and how patient it is. */
interface BuildOptions {
  report: Report;
  patience?: DownloadPatience;
}

async function build(artefact: Artefact, source: string, folder: string, options: BuildOptions) {
  await removeLeftovers(artefact, path.dirname(folder));
  const work = await fs.mkdtemp(`${folder}.partial-`);
  const sourceCopy = path.join(work, "source");
  const output = path.join(work, "output");
  try {
    await fs.cp(source, sourceCopy, { recursive: true });
    const modules = await downloadModules(artefact.modules ?? [], sourceCopy, options);
    const makeFiles = async () => {
      // What a download that broke off left of them.
      await fs.rm(output, { recursive: true, force: true });
      await fs.mkdir(output);
      await artefact.files?.(modules, sourceCopy, output);
    };
    await downloading(makeFiles, options.report, options.patience);
    if (artefact.command) {
      await compile(artefact.command, sourceCopy, output, options);
    }
    for (const link of artefact.links ?? []) {
      await fs.symlink(artefact.command?.output ?? "", path.join(output, link));
    }
    await fs.rename(output, folder);
  } finally {
    await fs.rm(work, { recursive: true, force: true });
  }
}

/** What an interrupted build left; the caller holds the artefact's lock, so nobody is in it. */
async function removeLeftovers(artefact: Artefact, cache: string): Promise<void> {
  const leftover = new RegExp(`^${artefact.name}-[0-9a-f]{16}\\.partial-`);
  for (const name of (await fs.readdir(cache)).filter((entry) => leftover.test(entry))) {
    await fs.rm(path.join(cache, name), { recursive: true, force: true });
  }
}

async function downloadModules(modules: string[], folder: string, options: BuildOptions) {
  if (modules.length === 0) {
    return [];
  }
  options.report(`downloading ${modules.join(", ")}`);
  await download(["mod", "download", ...modules], folder, modules.join(", "), options);
  const { stdout } = await go(["list", "-m", "-f", "{{.Dir}}", ...modules], folder);
  return stdout.split("\n");
}

/** How go says that a server did not give what it should; it names an address, or what broke off. */
const DOWNLOAD_WORDS =
  /https?:\/\/|dial tcp|lookup \S+|unexpected EOF|timeout|timed out|connection reset|not a valid zip/;

/**
 * Runs a go command that only downloads. What a server did not give is asked for again: go keeps what it
 * has. Any other failure is the pins' or the source's own, and is thrown as it is.
 */
async function download(args: string[], folder: string, what: string, options: BuildOptions) {
  const attempt = async () => {
    const run = go(args, folder);
    const stalled = await endIfStalled(run, options.patience);
    if (stalled !== undefined) {
      throw new DownloadError(what, `its server was silent for ${stalled} s`);
    }
    await run.catch((error: unknown) => {
      if (!(error instanceof ExecaError)) throw error;
      const words = String(error.stderr);
      if (!DOWNLOAD_WORDS.test(words)) throw error;
      const line = lastWords(words, DOWNLOAD_WORDS).replace(/^go: /, "");
      throw new DownloadError(/[\w.~/-]+@v[\w.+-]+/.exec(line)?.[0] ?? what, line);
    });
  };
  await downloading(attempt, options.report, options.patience);
}

function go(args: string[], folder: string) {
  return execa("go", args, { cwd: folder, env: goEnvironment(), extendEnv: false });
}

async function compile(
  command: { package: string; output: string; ldflags: string },
  folder: string,
  output: string,
  options: BuildOptions,
): Promise<void> {
  const ldflags = `-ldflags=-s -w ${command.ldflags}`.trimEnd();
  // No tables for a debugger: making them takes a tenth of the time, and the link leaves them out.
  const flags = ["-v", "-gcflags=all=-dwarf=false", ldflags];
  const args = ["build", ...flags, "-o", path.join(output, command.output), command.package];
  // Apart from the build, which is not tried again.
  const list = ["list", "-deps", "-f", "", command.package];
  await download(list, folder, `the modules of ${command.package}`, options);
  const build = go(args, folder);
  for await (const line of build.iterable({ from: "stderr" })) {
    options.report(line);
  }
  await build;
}
