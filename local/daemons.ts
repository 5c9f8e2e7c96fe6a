/**
 * Long-running processes that outlive the command that started them. Each is known by a file with
 * its pid and the time at which it started: a pid alone can belong to somebody else by the time it
 * is stopped.
 */
import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { execaSync } from "execa";
import { localMilliseconds } from "./patience";

export interface DaemonSpec {
  /** Name of its pid file and its log. */
  name: string;
  command: string;
  args: string[];
  /** Default: the caller's environment. */
  env?: NodeJS.ProcessEnv;
}

interface Identity {
  pid: number;
  started: string;
}

const pollMilliseconds = 20;

/** Starts a process in `folder`, detached, with its output in NAME.log. Nothing if it runs. */
export function startDaemon(folder: string, spec: DaemonSpec): void {
  if (daemonPid(folder, spec.name) !== undefined) {
    return;
  }
  const log = fs.openSync(logFile(folder, spec.name), "a", 0o600);
  try {
    const child = spawn(spec.command, spec.args, {
      cwd: folder,
      detached: true,
      env: spec.env,
      stdio: ["ignore", log, log],
    });
    // A command that cannot be executed has no pid; the error event says why.
    child.on("error", (error) => fs.appendFileSync(logFile(folder, spec.name), `${error}\n`));
    child.unref();
    const started = child.pid === undefined ? undefined : startTime(child.pid);
    if (child.pid !== undefined && started !== undefined) {
      const identity: Identity = { pid: child.pid, started };
      fs.writeFileSync(pidFile(folder, spec.name), JSON.stringify(identity), { mode: 0o600 });
    }
  } finally {
    fs.closeSync(log);
  }
}

/** The pid of a daemon that runs; undefined when it never ran, has ended or the pid is reused. */
export function daemonPid(folder: string, name: string): number | undefined {
  const identity = readIdentity(folder, name);
  return identity && startTime(identity.pid) === identity.started ? identity.pid : undefined;
}

/** Ends a daemon and waits until it is gone; true if it ran. */
export async function stopDaemon(folder: string, name: string): Promise<boolean> {
  const pid = daemonPid(folder, name);
  if (pid !== undefined) {
    signal(pid, "SIGTERM");
    if (!(await ended(folder, name))) {
      await killDaemon(folder, name);
    }
  }
  fs.rmSync(pidFile(folder, name), { force: true });
  return pid !== undefined;
}

/** Kills a daemon without a chance to tidy up, and waits until the system has. */
export async function killDaemon(folder: string, name: string): Promise<void> {
  const pid = daemonPid(folder, name);
  if (pid !== undefined) {
    signal(pid, "SIGKILL");
    if (!(await ended(folder, name))) {
      throw new Error(`${name} (process ${pid}) is still there after SIGKILL`);
    }
  }
}

/** Names of the daemons that were started in a folder and not stopped. */
export function daemonNames(folder: string): string[] {
  const files = fs.existsSync(folder) ? fs.readdirSync(folder) : [];
  return files.filter((file) => file.endsWith(".pid")).map((file) => file.slice(0, -4));
}

/**
 * Waits for a condition of a daemon. Ends early when the daemon does, and says what it logged last:
 * a wait that can only time out hides the reason. What a look throws is an answer that is not yet
 * right, and is told when the time is over.
 */
export async function awaitDaemon(
  folder: string,
  name: string,
  condition: () => Promise<boolean>,
  milliseconds = localMilliseconds("daemonReady"),
): Promise<void> {
  const deadline = Date.now() + milliseconds;
  for (;;) {
    let cause: unknown;
    try {
      if (await condition()) return;
    } catch (error) {
      cause = error;
    }
    const alive = daemonPid(folder, name) !== undefined;
    if (!alive || Date.now() > deadline) {
      const what = alive ? `was not ready after ${milliseconds / 1000} s` : "ended at once";
      const look = cause instanceof Error ? ` (the last look: ${cause.message})` : "";
      const log = logTail(folder, name);
      throw new Error(`${name} ${what}${look}; the end of its log:\n${log}`, { cause });
    }
    await delay(pollMilliseconds);
  }
}

function logTail(folder: string, name: string): string {
  const file = logFile(folder, name);
  return fs.existsSync(file) ? fs.readFileSync(file, "utf8").split("\n").slice(-15).join("\n") : "";
}

async function ended(folder: string, name: string): Promise<boolean> {
  const deadline = Date.now() + localMilliseconds("daemonEnds");
  while (daemonPid(folder, name) !== undefined) {
    if (Date.now() > deadline) {
      return false;
    }
    await delay(pollMilliseconds);
  }
  return true;
}

/** Sends a signal to a process, which may have ended by itself. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    // It ended between the look and the signal, which is what was wanted.
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") {
      throw error;
    }
  }
}

function readIdentity(folder: string, name: string): Identity | undefined {
  const file = pidFile(folder, name);
  return fs.existsSync(file) ? (JSON.parse(fs.readFileSync(file, "utf8")) as Identity) : undefined;
}

/** When a process started, in whatever unit the system has; undefined when there is none. */
export function startTime(pid: number): string | undefined {
  if (process.platform !== "linux") {
    const ps = execaSync("ps", ["-o", "lstart=", "-p", String(pid)], { reject: false });
    return ps.exitCode === 0 ? ps.stdout.trim() : undefined;
  }
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, "utf8");
    // The second field is the command in brackets and may hold spaces: count from its end.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    // A zombie has ended when its last thread has; until then it keeps its sockets and locks.
    const isZombie = fields[0] === "Z" && fs.readdirSync(`/proc/${pid}/task`).length === 1;
    return isZombie ? undefined : fields[19];
  } catch {
    return undefined;
  }
}

function pidFile(folder: string, name: string): string {
  return path.join(folder, `${name}.pid`);
}

function logFile(folder: string, name: string): string {
  return path.join(folder, `${name}.log`);
}
