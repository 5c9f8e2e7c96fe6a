/** What every command works with: where the stacks are, where it prints, and whether to go on. */
import * as path from "node:path";
import { type Command, InvalidArgumentError } from "commander";
import { Interrupted } from "./errors";
import { Output } from "./report";

export interface Fleet {
  /** Folder of the Pulumi project. */
  project: string;
  /** Folder of the stacks' files. */
  stacks: string;
  /** How many stacks are worked on at once. */
  parallel: number;
  output: Output;
  /** Aborted when the command is to end: whatever waits or polls looks at it. */
  interrupted: AbortSignal;
  /**
   * Aborted when the engine has to be told to end. On a terminal Ctrl-C reaches it without us, and
   * a second one would make it leave resources half made.
   */
  stopEngine: AbortSignal;
}

/** What a command found: the exit code is 0 when it is fine and 1 when not. */
export interface Result {
  ok: boolean;
  /** For `--json`; nothing else is on stdout then. */
  json: unknown;
  /** For a person. */
  text: string;
}

/** Runs a command's work on what its global options say. */
export type Run = (command: Command, work: (fleet: Fleet) => Promise<Result>) => Promise<void>;

/** Adds a command to the program. */
export type Register = (program: Command, run: Run) => void;

interface GlobalOptions {
  cwd: string;
  stacks?: string;
  json?: boolean;
  parallel: number;
}

/** Options that every command has. */
export function addGlobalOptions(program: Command): Command {
  return program
    .option("--json", "machine-readable result on stdout, progress on stderr")
    .option("--cwd <folder>", "folder of the Pulumi project", path.resolve(__dirname, ".."))
    .option("--stacks <folder>", "folder of the stacks' files (default: the project's)")
    .option("--parallel <n>", "how many stacks at once", positive, 4);
}

export function positive(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw new InvalidArgumentError("A whole number from 1 on is allowed.");
}

/** Opens what the command's options say; `signals` are those of this process. */
export function openFleet(command: Command, signals: Signals): Fleet {
  const { cwd, stacks, json, parallel } = command.optsWithGlobals<GlobalOptions>();
  const project = path.resolve(cwd);
  return {
    project,
    stacks: path.resolve(stacks ?? project),
    parallel,
    output: new Output(json === true),
    ...signals,
  };
}

type Signals = Pick<Fleet, "interrupted" | "stopEngine">;

/**
 * Turns the first SIGINT or SIGTERM into an orderly end; the second ends the process as ever. Between
 * them it still listens: the library that starts the engine ends a process to which nobody listens.
 */
export function listenToSignals(): Signals {
  const interrupted = new AbortController();
  const stopEngine = new AbortController();
  const onSignal = (signal: NodeJS.Signals): void => {
    if (interrupted.signal.aborted) {
      process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
      process.kill(process.pid, signal);
      return;
    }
    if (signal === "SIGTERM" || !process.stdin.isTTY) stopEngine.abort(new Interrupted());
    interrupted.abort(new Interrupted());
  };
  process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
  return { interrupted: interrupted.signal, stopEngine: stopEngine.signal };
}
