/**
 * Pods without a cluster: runs the scripts of components/scripts in containers made of namespaces
 * alone, in the images of the node tier, as the pods do: the same paths, the same users, no
 * capability, no_new_privs, a read-only root, and a network that only the test is in.
 *
 * Needs root on a Debian. Nothing is started outside the namespaces, and all of it ends with
 * `dispose`.
 */
import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { imageSources, systems } from "../../../local/node/images";
import { ensureArtefact } from "../../../local/toolchain";
import { forget, observe, type Observed } from "../../evidence";
import { eventually } from "../../waits";

/** A folder of this run's in memory, by which the run finds it that has to take it away. */
function inMemory(name: string): string {
  return fs.mkdtempSync(`/dev/shm/${path.basename(os.tmpdir())}-${name}-`);
}

/** Root file systems, unpacked once for all tests of a run; in memory, as all that is made here. */
const roots = new Map<string, Promise<string>>();

/** The machine's own root for the tests' programs, an image's for what runs in a pod. */
function rootOf(image: Container["image"]): Promise<string> {
  if (image === undefined) return Promise.resolve("/");
  if (typeof image === "object") return Promise.resolve(image.root);
  let root = roots.get(image);
  if (!root) roots.set(image, (root = unpack(image)));
  return root;
}

async function unpack(image: "matomo" | "mariadb"): Promise<string> {
  if (process.getuid?.() !== 0) throw new Error("these tests make containers, which needs root");
  const folder = await ensureArtefact(systems[image], { sources: imageSources });
  const root = inMemory(`image-${image}`);
  process.once("exit", () => fs.rmSync(root, { recursive: true, force: true }));
  const { status } = spawnSync("tar", ["-xf", path.join(folder, "layer.tar"), "-C", root]);
  if (status !== 0) throw new Error(`the image ${image} cannot be unpacked to ${root}`);
  return root;
}

/** One container: its user, what is mounted where, its environment and its command. */
export interface Container {
  /** Whose programs: an image's, those of a root file system, or the machine's own. */
  image?: "matomo" | "mariadb" | { root: string };
  user: number;
  /** Directory inside → directory of the machine; a trailing `:ro` on the latter is read-only. */
  mounts: Record<string, string>;
  env?: Record<string, string>;
  command: string[];
  /** Written to the command's standard input. */
  input?: string;
}

export interface Result {
  status: number | null;
  output: string;
}

/** A container that runs: what it said so far, and how it ended. */
export type Running = ChildProcess & { finished: Promise<Result>; output: () => string };

/** Who is asked for every other name: as in the node's pods. */
export const NAME_SERVER = "10.255.255.53";

/** Host names of the pods, and of who has the GeoIP database; all of them live on one loopback. */
const HOSTS = [
  "matomo",
  "matomo-state",
  "matomo-mariadb",
  "matomo.example.com",
  "download.db-ip.com",
];

/** The root file system, made in a mount namespace of its own and entered by chroot. */
function enter(lower: string, root: string, container: Container): string {
  const lines = [
    "set -euo pipefail",
    `mount -t tmpfs tmpfs ${root}.upper && mkdir ${root}.upper/files ${root}.upper/work`,
    `mount -t overlay -o lowerdir=${lower},upperdir=${root}.upper/files,workdir=${root}.upper/work overlay ${root}`,
    `cd ${root}`,
    "mkdir -p dev proc tmp run/secrets",
    "mount --rbind /dev dev",
    "mount --bind /proc proc",
    `cp ${root}.hosts etc/hosts`,
    "mount -t tmpfs -o mode=1777 tmp tmp",
  ];
  for (const [inside, from] of Object.entries(container.mounts)) {
    const [source, mode] = from.split(":");
    lines.push(`mkdir -p .${inside}`, `mount --bind ${source} .${inside}`);
    if (mode === "ro") lines.push(`mount -o remount,ro,bind .${inside}`);
  }
  const user = container.user;
  lines.push(
    "mount -o remount,ro,bind .",
    `exec chroot . setpriv --reuid=${user} --regid=${user} --clear-groups --no-new-privs ` +
      `--bounding-set=-all --inh-caps=-all -- "$@"`,
  );
  return lines.join("\n");
}

/** Kills a process, which may have ended by itself. */
export function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, "ESRCH");
  }
}

export class Sandbox implements Observed {
  /** Folder of its evidence. */
  readonly title = "sandbox";
  /** What each container was told and what it said, in the order of their starts. */
  private readonly told: (() => string)[] = [];
  /** In memory: what is tested is what the scripts do, not how busy the machine's disk is. */
  dir = "";
  private readonly running = new Set<Running>();
  private network?: ChildProcess;
  private count = 0;

  /** Makes the network: a loopback that nothing else is on. */
  async start(): Promise<void> {
    this.dir = inMemory("sandbox");
    observe(this);
    // A front end of a test may take port 443, without a capability.
    const ports = "echo 0 > /proc/sys/net/ipv4/ip_unprivileged_port_start";
    // Where the images look for names; nobody answers, unless a test does.
    const names = `ip address add ${NAME_SERVER} dev lo`;
    const script = `ip link set lo up && ${names} && ${ports} && echo up && exec sleep infinity`;
    const network = spawn("unshare", ["--net", "bash", "-c", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    this.network = network;
    await new Promise<void>((resolve, reject) => {
      network.stdout.once("data", () => resolve());
      network.once("exit", () => reject(new Error("no network namespace")));
    });
  }

  /** A directory that belongs to a user, as a volume belongs to its pod's fsGroup. */
  volume(name: string, user: number): string {
    const dir = path.join(this.dir, name);
    fs.mkdirSync(dir, { recursive: true });
    fs.chownSync(dir, user, user);
    return dir;
  }

  /** A directory of files, as a ConfigMap or Secret is mounted. */
  files(name: string, content: Record<string, string>, mode = 0o444): string {
    const dir = path.join(this.dir, name);
    fs.rmSync(dir, { recursive: true, force: true });
    // To be mounted even where there is nothing in it.
    fs.mkdirSync(dir, { recursive: true });
    for (const [file, text] of Object.entries(content)) {
      fs.mkdirSync(path.dirname(path.join(dir, file)), { recursive: true });
      fs.writeFileSync(path.join(dir, file), text, { mode });
    }
    return dir;
  }

  /** Mounts and environment by which these scripts stand before the image's own programs. */
  shims(programs: Record<string, string>) {
    const scripts = Object.entries(programs).map(([name, script]) => [
      name,
      `#!/bin/bash\n${script}\n`,
    ]);
    return {
      mounts: { "/shims": this.files("bin", Object.fromEntries(scripts), 0o755) },
      env: { PATH: "/shims:/usr/sbin:/usr/bin:/sbin:/bin" },
    };
  }

  /** Starts a container; its output goes to `output` of what is returned, and to the promise. */
  async spawn(container: Container): Promise<Running> {
    const lower = await rootOf(container.image);
    const root = path.join(this.dir, `root-${this.count++}`);
    fs.mkdirSync(root);
    fs.mkdirSync(`${root}.upper`);
    fs.writeFileSync(`${root}.hosts`, `127.0.0.1 localhost ${HOSTS.join(" ")}\n`);
    const network = this.network?.pid;
    const child = spawn(
      "nsenter",
      [
        `--net=/proc/${network}/ns/net`,
        ...["unshare", "--mount", "--propagation", "private"],
        // Its standard input is a socket, for which bash would read a person's .bashrc.
        ...["bash", "--norc", "-c", enter(lower, root, container), "bash", ...container.command],
      ],
      {
        env: {
          PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
          // Whose it is; the folder of this name is not in it.
          TEST_RUN: os.tmpdir(),
          ...container.env,
        },
        stdio: ["pipe", "pipe", "pipe"],
      },
    );
    let output = "";
    const collect = (data: Buffer) => (output += data.toString());
    child.stdout.on("data", collect);
    child.stderr.on("data", collect);
    child.stdin.on("error", () => undefined);
    child.stdin.end(container.input ?? "");
    const finished = new Promise<Result>((resolve) => {
      child.once("close", (status) => {
        this.running.delete(running);
        resolve({ status, output });
      });
    });
    const running = Object.assign(child, { finished, output: () => output });
    this.running.add(running);
    const image = typeof container.image === "object" ? container.image.root : container.image;
    const command = [image ?? "machine", ...container.command].join(" ").slice(0, 300);
    const ended = () => `${running.exitCode ?? running.signalCode ?? "still running"}`;
    this.told.push(() => `--- ${command}\n${output}\n--- ended: ${ended()}\n`);
    return running;
  }

  async run(container: Container): Promise<Result> {
    return (await this.spawn(container)).finished;
  }

  /** Every process in the sandbox's network, which is in no other. */
  processes(): number[] {
    const own = fs.readlinkSync(`/proc/${this.network!.pid}/ns/net`);
    return fs.readdirSync("/proc").flatMap((name) => {
      try {
        return fs.readlinkSync(`/proc/${name}/ns/net`) === own ? [Number(name)] : [];
      } catch {
        return []; // no process, or one that ended meanwhile
      }
    });
  }

  /** Ends every container at once, as a node does that is lost. */
  async loseContainers(): Promise<void> {
    const ended = [...this.running].map((child) => child.finished);
    await this.killAll(() => true);
    await Promise.all(ended);
  }

  /** Kills processes, those included that are forked meanwhile, and waits until none has its number any more. */
  async killAll(which: (pid: number) => boolean): Promise<void> {
    const killed = new Set<number>();
    const running = () => this.processes().filter((pid) => pid !== this.network!.pid && which(pid));
    for (let pids = running(); pids.length; pids = running()) {
      for (const pid of pids) {
        kill(pid);
        killed.add(pid);
      }
    }
    const areGone = () => ![...killed].some((pid) => fs.existsSync(`/proc/${pid}`));
    await eventually("the end of what was killed", areGone, "processEnds");
  }

  /** The containers' words, the configuration, the site's state and what is on each volume. */
  async collect(folder: string): Promise<void> {
    const note = (file: string, text: string) => fs.writeFileSync(path.join(folder, file), text);
    note("containers.log", this.told.map((tell) => tell()).join("\n"));
    // Of a volume that somebody writes to, a file may be gone by now.
    const list = spawnSync("ls", ["-laR", this.dir], { maxBuffer: 64 << 20 });
    note("volumes.txt", list.stdout.toString());
    for (const name of ["config", "state"].filter((one) => fs.existsSync(this.path(one)))) {
      spawnSync("cp", ["-a", this.path(name), folder]);
    }
  }
  private path(name: string): string {
    return path.join(this.dir, name);
  }

  /** Ends all processes and removes all files. */
  async dispose(): Promise<void> {
    await forget(this);
    if (this.network) {
      await this.loseContainers();
      this.network.kill("SIGKILL");
    }
    if (this.dir) fs.rmSync(this.dir, { recursive: true, force: true });
  }
}
