/**
 * `npm start` with a real node opens a site that has recorded a visit, on the loopback alone. The
 * node leaves the machine as it found it: no process, mount, address, route, filter, control group, loop
 * device, kernel value or package of its own, not while it runs where others would see it, and not
 * after its end; not even when it is killed. What others do on the machine meanwhile is theirs: only what
 * has the node's own names and addresses is looked at.
 */
import * as assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import * as os from "node:os";
import * as path from "node:path";
import { execa } from "execa";
import { clusterFolder, clusterStatus, startCluster, stopCluster } from "../../local/cluster";
import { ingressIp, node, podRange, serviceRange } from "../../local/node/config";
import { imageSources, matomoFolder } from "../../local/node/images";
import { cgroup } from "../../local/node/node";
import { copyCheckout, linkLibraries } from "../checkout-copy";
import { eventually, milliseconds } from "../waits";

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

/** By what an address, a route or a filter of a node is known: its networks, and its programs' chains. */
const NETWORKS = [podRange, serviceRange, node.ip, ingressIp].map((range) =>
  // The part that all its addresses share.
  range.replace(/(?:\.0)+\/.*$/, "."),
);
const CHAINS = ["KUBE-", "CNI-", "POLICIES"];

/** What the machine has of a node, where others would see it, and what a node would change. */
async function machine() {
  const lines = async (command: string, names: string[]) => {
    const { stdout } = await execa("sh", ["-c", `${command} 2>/dev/null`], { reject: false });
    return stdout.split("\n").filter((line) => names.some((name) => line.includes(name)));
  };
  const read = (file: string) => fs.readFile(file, "utf8").catch(() => "");
  const recipe = await read(path.join(imageSources, "node", "packages.txt"));
  const packages = recipe.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  const query = ["--showformat=${Package} ${Version} ${db:Status-Status}\n", "--show"];
  const found = await execa("dpkg-query", [...query, ...packages], { reject: false });
  return {
    addresses: await lines("ip -brief address", NETWORKS),
    routes: await lines("ip route show table all; ip rule", NETWORKS),
    filters: await lines("iptables-save; ip6tables-save; nft list ruleset", [
      ...NETWORKS,
      ...CHAINS,
    ]),
    packages: found.stdout.split("\n").sort(),
    values: await Promise.all(VALUES.map((name) => read(`/proc/sys/${name}`))),
  };
}

/** Addresses of the machine where a process of the folder listens. */
async function openPorts(folder: string): Promise<string[]> {
  const options = ["--listening", "--tcp", "--numeric", "--no-header", "--processes"];
  const { stdout } = await execa("ss", options);
  const pids = (await processesOf(folder)).map(({ pid }) => `pid=${pid},`);
  const own = stdout.split("\n").filter((line) => pids.some((pid) => line.includes(pid)));
  return own.map((line) => line.split(/ +/)[3]);
}

/** Processes that were started of a folder, or in it. */
async function processesOf(folder: string): Promise<{ pid: number; command: string }[]> {
  const processes: { pid: number; command: string }[] = [];
  for (const pid of (await fs.readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
    const command = await fs.readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
    const folderOf = await fs.readlink(`/proc/${pid}/cwd`).catch(() => "");
    if (Number(pid) !== process.pid && (command.includes(folder) || folderOf.startsWith(folder))) {
      processes.push({ pid: Number(pid), command });
    }
  }
  return processes;
}

/** What belongs to the node of a state folder's cluster, and to others of a folder around it. */
async function own(folder: string, stateFolder = folder) {
  const mounts = (await fs.readFile("/proc/self/mounts", "utf8"))
    .split("\n")
    .filter((line) => line.includes(folder));
  // Others' groups may come and go while it looks.
  const name = path.basename(cgroup(clusterFolder(stateFolder)));
  const find = ["/sys/fs/cgroup", "-name", name];
  const groups = (await execa("find", find, { reject: false })).stdout;
  const loops = (await execa("losetup", ["--list", "--noheadings", "--output", "BACK-FILE"]))
    .stdout;
  const processes = (await processesOf(folder)).map(({ command }) => command);
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
    // With a Matomo that is named no registry is asked for the official images.
    const env = { CI: "true", MATOMO_DIST: matomoFolder() };
    const timeout = milliseconds("clusterStarts");
    const run = async (...command: string[]) =>
      (await execa("node", command, { cwd: copy, all: true, env, timeout })).all;
    const before = await machine();
    const state = path.join(copy, ".local");
    try {
      const text = await run("local/start.mjs");
      const [, url] = /The site: (\S+) \(1 recorded visit\)/.exec(text) ?? assert.fail(text);
      assert.match(text, /log in as admin, with the password that this prints/);
      assert.ok(text.includes(`var u = "${url}"`), text);
      assert.equal((await fetch(`${url}matomo.php`)).status, 200);
      const opened = await openPorts(folder);
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
    const gone = async () =>
      (await own(folder)).processes.every(
        (command) => !/(kubelet|containerd) --config/.test(command),
      );
    await eventually("all of the node has gone with it", gone, "processEnds");
    const again = await startCluster(folder, { node: true });
    assert.match(await again.kubectl(["get", "configmap", "kept", "-o", "name"]), /kept/);
    await stopCluster(folder);
    assert.deepEqual(await own(folder), NOTHING);
  });
});
