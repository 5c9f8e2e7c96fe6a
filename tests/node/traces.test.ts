/**
 * `npm start` with a real node opens a site that has recorded a visit, on the loopback alone. The
 * node leaves the machine as it found it: no process, mount, link, route, filter, control group, loop
 * device, kernel value or package of its own, not while it runs where others would see it, and not
 * after its end; not even when it is killed.
 */
import * as assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import * as os from "node:os";
import * as path from "node:path";
import { execa } from "execa";
import { clusterFolder, clusterStatus, startCluster, stopCluster } from "../../local/cluster";
import { cgroup } from "../../local/node/node";
import { copyCheckout, linkLibraries } from "../checkout-copy";
import { until } from "./harness";

const VALUES = [
  "vm/overcommit_memory",
  "vm/panic_on_oom",
  "kernel/panic",
  "kernel/panic_on_oops",
  "kernel/keys/root_maxkeys",
  "kernel/hostname",
  "net/ipv4/ip_forward",
  "net/netfilter/nf_conntrack_max",
];

/** What the machine looks like, apart from the processes of others. */
async function machine() {
  const run = async (command: string, ...args: string[]) =>
    (await execa(command, args, { reject: false })).stdout;
  const read = (file: string) => fs.readFile(file, "utf8").catch(() => "");
  return {
    links: (await fs.readdir("/sys/class/net")).sort(),
    addresses: await run("ip", "-brief", "address"),
    routes: await run("ip", "route", "show", "table", "all"),
    filters: await Promise.all(
      ["iptables-save", "ip6tables-save", "nft list ruleset"].map((command) =>
        run("sh", "-c", `${command} 2>/dev/null | grep -v '^#'`),
      ),
    ),
    tables: await read("/proc/net/ip_tables_names"),
    packages: (await fs.stat("/var/lib/dpkg/status")).mtimeMs,
    values: await Promise.all(VALUES.map((name) => read(`/proc/sys/${name}`))),
  };
}

/** Addresses of the machine where somebody listens. */
async function openPorts(): Promise<string[]> {
  const { stdout } = await execa("ss", ["--listening", "--tcp", "--numeric", "--no-header"]);
  return stdout.split("\n").map((line) => line.split(/ +/)[3]);
}

/** What belongs to the node of a state folder's cluster, and to others of a folder around it. */
async function own(folder: string, stateFolder = folder) {
  const mounts = (await fs.readFile("/proc/self/mounts", "utf8"))
    .split("\n")
    .filter((line) => line.includes(folder) || line.includes("kubelet"));
  // Others' groups may come and go while it looks.
  const name = path.basename(cgroup(clusterFolder(stateFolder)));
  const find = ["/sys/fs/cgroup", "-name", name];
  const groups = (await execa("find", find, { reject: false })).stdout;
  const loops = (await execa("losetup", ["--list", "--noheadings", "--output", "BACK-FILE"]))
    .stdout;
  const processes: string[] = [];
  for (const pid of (await fs.readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
    const command = await fs.readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
    const folderOf = await fs.readlink(`/proc/${pid}/cwd`).catch(() => "");
    if (Number(pid) !== process.pid && (command.includes(folder) || folderOf.startsWith(folder))) {
      processes.push(command);
    }
  }
  return {
    mounts,
    groups: groups.split("\n").filter(Boolean),
    processes,
    loops: loops.split("\n").filter((line) => line.includes(folder)),
  };
}

const NOTHING = { mounts: [], groups: [], processes: [], loops: [] };

describe("what a node leaves behind", () => {
  let folder: string;

  before(async () => {
    folder = await fs.mkdtemp(path.join(os.tmpdir(), "matomo-traces-"));
  });
  after(async () => {
    if (folder) {
      await stopCluster(folder);
      await fs.rm(folder, { recursive: true, force: true });
    }
  });

  it("npm start opens a site that has recorded a visit, npm stop leaves nothing of it", async () => {
    const copy = path.join(folder, "checkout");
    await copyCheckout(copy);
    await linkLibraries(copy);
    const run = async (...command: string[]) =>
      (await execa("node", command, { cwd: copy, all: true, env: { CI: "true" } })).all;
    const before = await machine();
    const state = path.join(copy, ".local");
    const ports = await openPorts();
    try {
      const text = await run("local/start.mjs");
      const [, url] = /The site: (\S+) \(1 recorded visit\)/.exec(text) ?? assert.fail(text);
      assert.match(text, /log in as admin, with the password that this prints/);
      assert.ok(text.includes(`var u = "${url}"`), text);
      assert.equal((await fetch(`${url}matomo.php`)).status, 200);
      const opened = (await openPorts()).filter((port) => !ports.includes(port));
      assert.ok(opened.includes(new URL(url).host), opened.join());
      const toOutside = opened.filter((port) => !/^(127\.|\[::1\])/.test(port));
      assert.deepEqual(toOutside, []);
      const during = await own(folder, state);
      // Each of these would be seen.
      assert.ok(during.groups.length > 0, "control groups");
      assert.ok(during.processes.length > 0, "processes");
      assert.ok(during.loops.length > 0, "loop devices");
      assert.deepEqual(during.mounts, []);
      assert.deepEqual(await machine(), before);
    } finally {
      await run("--import", "tsx", "local/stop.ts");
    }
    assert.deepEqual(await own(folder, state), NOTHING);
    assert.deepEqual(await machine(), before);
  });

  it("is nothing after it was killed, and it comes up again with what it had", async () => {
    const cluster = await startCluster(folder, { node: true });
    const keep = ["create", "configmap", "kept", "--from-literal=a=b"];
    await cluster.kubectl(keep);
    process.kill(clusterStatus(folder).node!, "SIGKILL");
    await until("all of the node has gone with it", 120, async () =>
      (await own(folder)).processes.every(
        (command) => !/(kubelet|containerd) --config/.test(command),
      ),
    );
    const again = await startCluster(folder, { node: true });
    assert.match(await again.kubectl(["get", "configmap", "kept", "-o", "name"]), /kept/);
    await stopCluster(folder);
    assert.deepEqual(await own(folder), NOTHING);
  });
});
