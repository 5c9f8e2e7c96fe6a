/**
 * Bench of the fleet command: one cluster, one deployed stack, and the command as a person runs it, a
 * process of its own. The files of this folder share it; each leaves the site as it found it.
 */
import * as fs from "node:fs/promises";
import * as path from "node:path";
import type { V1Pod } from "@kubernetes/client-node";
import { execa, type Options } from "execa";
import { after, afterEach } from "mocha";
import { parse, stringify } from "yaml";
import { isReady } from "../../fleet/web-pods";
import { checkout } from "../../local/paths";
import { endOrphans, newSite, type Site } from "../api/harness";
import { isOf } from "../incidents/cluster/bench";
import type { LivePods } from "./pods";

const ENDING = path.join(__dirname, "command-ending.cjs");

/** Sites that were asked for, there or not yet: a hook that ran out of time has one, too. */
const sites: Promise<Site>[] = [];
/** Commands that run, and the engine's home of each. */
const running = new Map<PromiseLike<unknown> & { kill(signal: "SIGKILL"): boolean }, string>();
const ending = new AbortController();
/** Aborted when the tests are over. */
export const over = ending.signal;

/** A site that is closed when the tests are over, whatever became of them. */
export function ownSite(stack: string, config?: Record<string, unknown>): Promise<Site> {
  const site = newSite(stack, config);
  sites.push(site);
  return site;
}

/** Ends what a test that failed left running: it would work on beside the next one. */
async function endCommands(): Promise<void> {
  for (const [command, home] of [...running]) {
    command.kill("SIGKILL");
    await endOrphans(home);
    await command;
  }
}

afterEach(endCommands);

after(async () => {
  ending.abort();
  await endCommands();
  const made = (await Promise.allSettled(sites)).flatMap((site) =>
    site.status === "fulfilled" ? [site.value] : [],
  );
  const closed = await Promise.allSettled(
    made.map(async (site) => {
      await endOrphans(site.engine.env.PULUMI_HOME!);
      await site.close();
    }),
  );
  const failed = closed.find((one) => one.status === "rejected");
  if (failed) throw failed.reason;
});

/** Where and how the command is to end, in $FLEET_ENDING: it does so by itself (command-ending.cjs). */
export interface Ending {
  /** What the line has in it. */
  words: string;
  /** The how manyth such line; default: the first. */
  count?: number;
  /** A killed machine takes the engine along; Ctrl-C without a terminal reaches the command alone. */
  signal: "SIGKILL" | "SIGINT";
}

/** What a run of the command printed, and how it ended. */
export interface FleetResult {
  stdout: string;
  stderr: string;
  exitCode?: number;
}

/** What was on the terminal in the end. */
interface Shown {
  shown: string;
  exitCode?: number;
}

export class FleetBench {
  constructor(
    readonly site: Site,
    /** Folder of the stacks' files: the checkout's are never written to. */
    readonly stacks: string,
    /** The checkout's own stack files before the first run. */
    readonly filesBefore: Record<string, string>,
    /** What runs in the site's pods. Default: on nodes that are simulated, nothing. */
    readonly pods?: LivePods,
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
    const env = { ...this.environment(), ...options.env };
    const process = { cwd: checkout, stdin: "ignore", ...options, env } as const;
    const command = execa("node", this.argv(args), { ...process, extendEnv: false, reject: false });
    this.note(command);
    return command;
  }

  /** Writes the stack's file: its settings, and these over them. */
  settings(more: Record<string, unknown> = {}): Promise<string> {
    return this.site.engine.stackFile(this.site.stack, { ...this.site.config, ...more });
  }

  private note(command: PromiseLike<unknown> & { kill(signal: "SIGKILL"): boolean }): void {
    running.set(command, this.site.engine.env.PULUMI_HOME!);
    void command.then(() => running.delete(command));
  }

  /**
   * Runs the command on a terminal, on which each question in turn is answered by what is typed then.
   * The terminal is util-linux' own `script`, which every Linux has.
   */
  onTerminal(answers: [question: RegExp, typed: string][], ...args: string[]): Promise<Shown> {
    return this.onTerminalWith({}, answers, ...args);
  }

  /** The same with more in its environment. */
  async onTerminalWith(
    more: NodeJS.ProcessEnv,
    answers: [question: RegExp, typed: string][],
    ...args: string[]
  ): Promise<Shown> {
    const command = ["node", ...this.argv(args)].map((word) => `'${word}'`).join(" ");
    const env = { ...this.environment(), ...more };
    const process = { cwd: checkout, env, extendEnv: false, reject: false };
    const options = ["--quiet", "--return", "--command", command, "/dev/null"];
    const terminal = execa("script", options, { ...process, stdin: "pipe" });
    this.note(terminal);
    let [shown, asked, since] = ["", 0, 0];
    terminal.stdout.on("data", (chunk) => {
      shown += String(chunk);
      const [question, typed] = answers[asked] ?? [];
      if (!question?.test(shown.slice(since))) return;
      asked++;
      since = shown.length;
      terminal.stdin.write(typed!);
    });
    const { exitCode } = await terminal;
    if (answers[asked]) throw new Error(`never asked ${answers[asked][0]}:\n${shown}`);
    return { shown, exitCode };
  }

  /** How many pods of a component are ready: what a command waits for. Its status is written later. */
  async readyPods(component: string): Promise<number> {
    const pods = await this.site.list("pods");
    return pods.filter((pod) => isOf(component, pod) && isReady(pod as V1Pod)).length;
  }

  private argv(args: string[]): string[] {
    const own = path.join(checkout, "fleet", "index.ts");
    const entry = this.pods ? path.join(__dirname, "command.ts") : own;
    // As `npm run fleet` does, but for what may end it.
    const run = ["--require", ENDING, path.join(checkout, "launch", "run.cjs")];
    return [...run, entry, ...args, "--stacks", this.stacks];
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
    const pods = this.pods && { FLEET_PODS: JSON.stringify(this.pods) };
    return { ...this.site.engine.env, MATOMO_POLICY_PACK: pack, ...pods };
  }
}

/** Content of the checkout's stack files, by name. */
export async function stackFiles(): Promise<Record<string, string>> {
  const names = (await fs.readdir(checkout)).filter((name) => name.startsWith("Pulumi."));
  const read = async (name: string) => [name, await fs.readFile(path.join(checkout, name), "utf8")];
  return Object.fromEntries(await Promise.all(names.map(read)));
}

/** The command on a site that is there. */
export async function benchOf(site: Site): Promise<FleetBench> {
  const file = await site.engine.stackFile(site.stack, site.config);
  return new FleetBench(site, path.dirname(file), await stackFiles());
}

/** A bench with a cluster of its own, on which nothing is deployed. */
export async function openBench(
  stack: string,
  config?: Record<string, unknown>,
): Promise<FleetBench> {
  return benchOf(await ownSite(stack, config));
}

/** The bench with the runs that made it. */
interface SharedBench {
  bench: FleetBench;
  init: FleetResult;
  firstPreview: FleetResult;
  firstUp: FleetResult;
}

let shared: Promise<SharedBench> | undefined;

/**
 * The bench, with `liberty` made and deployed by the command itself while its neighbour `yonks` names
 * a cluster that does not exist.
 */
export function sharedBench(): Promise<SharedBench> {
  shared ??= (async () => {
    const site = await ownSite("liberty");
    const nowhere = { "matomo:cluster": { doks: "nowhere" } };
    const folder = path.dirname(await site.engine.stackFile("yonks", nowhere));
    const bench = new FleetBench(site, folder, await stackFiles());
    const domain = ["--domain", "matomo.liberty.example.com"];
    const email = ["--email", "admin@liberty.example.com"];
    const init = await bench.run("init", "liberty", ...domain, ...email, "--cluster", "liberty");
    const firstPreview = await bench.run("preview", "liberty", "--json");
    await addSettings(path.join(folder, "Pulumi.liberty.yaml"), site.config);
    const firstUp = await bench.run("up", "--all", "--yes", "--json");
    return { bench, init, firstPreview, firstUp };
  })();
  return shared;
}

/** Adds to a stack's file what `init` has not asked for. */
async function addSettings(file: string, more: Record<string, unknown>): Promise<void> {
  const stack = parse(await fs.readFile(file, "utf8"));
  await fs.writeFile(file, stringify({ ...stack, config: { ...stack.config, ...more } }));
}
