/**
 * A node leaves the machine as it found it: no process, mount, link, route, filter, control group,
 * loop device, kernel value or package of its own, not while it runs where others would see it, and
 * not after its end; not even when it is killed.
 */
import * as assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import * as os from "node:os";
import * as path from "node:path";
import { execa } from "execa";
import { clusterStatus, startCluster, stopCluster } from "../../local/cluster";
import { needsNode, until } from "./harness";

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
    tables: await read("/proc/net/ip_tables_names"),
    packages: (await fs.stat("/var/lib/dpkg/status")).mtimeMs,
    values: await Promise.all(VALUES.map((name) => read(`/proc/sys/${name}`))),
  };
}

/** What belongs to one cluster's node. */
async function own(folder: string) {
  const mounts = (await fs.readFile("/proc/self/mounts", "utf8"))
    .split("\n")
    .filter((line) => line.includes(folder) || line.includes("kubelet"));
  const groups = (await execa("find", ["/sys/fs/cgroup", "-name", "matomo-*"])).stdout;
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

describe("what a node leaves behind", () => {
  let folder: string;

  before(needsNode);
  before(async () => {
    folder = await fs.mkdtemp(path.join(os.tmpdir(), "matomo-traces-"));
  });
  after(async () => {
    if (folder) {
      await stopCluster(folder);
      await fs.rm(folder, { recursive: true, force: true });
    }
  });

  it("is nothing after its end, and nothing in the machine's sight before it", async () => {
    const before = await machine();
    const others = (await own(folder)).groups;
    await startCluster(folder, { node: true });
    const during = await own(folder);
    assert.ok(during.groups.length > others.length, "the node has control groups while it runs");
    assert.deepEqual(during.mounts, []);
    assert.deepEqual(await machine(), before);
    await stopCluster(folder);
    assert.deepEqual(await own(folder), { mounts: [], groups: others, processes: [], loops: [] });
    assert.deepEqual(await machine(), before);
  });

  it("is nothing after it was killed, and it comes up again with what it had", async () => {
    const others = (await own(folder)).groups;
    const cluster = await startCluster(folder, { node: true });
    const keep = ["create", "configmap", "kept", "--from-literal=a=b"];
    await cluster.kubectl(keep);
    process.kill(clusterStatus(folder).node!, "SIGKILL");
    await until("all of the node has gone with it", 20, async () =>
      (await own(folder)).processes.every(
        (command) => !/(kubelet|containerd) --config/.test(command),
      ),
    );
    const again = await startCluster(folder, { node: true });
    assert.match(await again.kubectl(["get", "configmap", "kept", "-o", "name"]), /kept/);
    await stopCluster(folder);
    assert.deepEqual(await own(folder), { mounts: [], groups: others, processes: [], loops: [] });
  });
});
