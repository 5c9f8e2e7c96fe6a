/**
 * Bench of the fleet command: one cluster, one deployed stack, and the command as a person runs it, a
 * process of its own. The files of this folder share it; each leaves the site as it found it.
 */
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { execa, type Options } from "execa";
import { after } from "mocha";
import { checkout } from "../../local/paths";
import { newSite, type Site } from "../api/harness";

/** What a run of the command printed, and how it ended. */
export interface FleetResult {
  stdout: string;
  stderr: string;
  exitCode?: number;
}

export class FleetBench {
  constructor(
    readonly site: Site,
    /** Folder of the stacks' files: the checkout's are never written to. */
    readonly stacks: string,
    /** The checkout's own stack files before the first run. */
    readonly filesBefore: Record<string, string>,
  ) {}

  /** Runs the command; the caller judges how it ends. */
  run(...args: string[]): Promise<FleetResult> {
    return this.runWith({}, ...args);
  }

  /** The same with options of the process: a signal, an input, an environment. */
  async runWith(options: Options, ...args: string[]): Promise<FleetResult> {
    const { stdout, stderr, exitCode } = await this.start(options, ...args);
    return { stdout: String(stdout), stderr: String(stderr), exitCode };
  }

  /** Starts the command. */
  start(options: Options, ...args: string[]) {
    const command = ["--import", "tsx", path.join(checkout, "fleet", "index.ts")];
    const env = { ...this.environment(), ...options.env };
    const process = { cwd: checkout, stdin: "ignore", ...options, env } as const;
    return execa("node", [...command, ...args, "--stacks", this.stacks], {
      ...process,
      extendEnv: false,
      reject: false,
    });
  }

  /** The JSON that the command gives. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  async json(...args: string[]): Promise<any> {
    const { stdout, stderr } = await this.run(...args, "--json");
    try {
      return JSON.parse(stdout);
    } catch {
      throw new Error(`no JSON from fleet ${args.join(" ")}:\n${stdout}\n${stderr}`);
    }
  }

  /** In which the engine, its stacks and their credentials are found. */
  environment(): NodeJS.ProcessEnv {
    const pack = path.join(checkout, "policy", "run-policy");
    return { ...this.site.engine.env, MATOMO_POLICY_PACK: pack };
  }
}

/** Content of the checkout's stack files, by name. */
export async function stackFiles(): Promise<Record<string, string>> {
  const names = (await fs.readdir(checkout)).filter((name) => name.startsWith("Pulumi."));
  const read = async (name: string) => [name, await fs.readFile(path.join(checkout, name), "utf8")];
  return Object.fromEntries(await Promise.all(names.map(read)));
}

let shared: Promise<{ bench: FleetBench; firstUp: FleetResult }> | undefined;

/**
 * The bench, with `liberty` deployed by the command itself while its neighbour `yonks` names a
 * cluster that does not exist.
 */
export function sharedBench(): Promise<{ bench: FleetBench; firstUp: FleetResult }> {
  shared ??= (async () => {
    const site = await newSite("liberty");
    const file = await site.engine.stackFile("liberty");
    await site.engine.stackFile("yonks", { "matomo:cluster": { doks: "nowhere" } });
    const bench = new FleetBench(site, path.dirname(file), await stackFiles());
    const firstUp = await bench.run("up", "--all", "--yes", "--json");
    return { bench, firstUp };
  })();
  return shared;
}

after(async function () {
  this.timeout(60_000);
  await shared?.then(({ bench }) => bench.site.close()).catch(() => undefined);
});
