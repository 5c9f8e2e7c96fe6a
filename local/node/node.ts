/**
 * A real node of the embedded cluster: kubelet, containerd, kube-proxy and a CSI driver in a Debian
 * root file system and namespaces of their own (init.sh), so that pods really run and the machine's
 * network, filters, mounts and packages stay as they are. Linux and root alone.
 */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import type { Readable } from "node:stream";
import { execa, type Options } from "execa";
import { generate } from "selfsigned";
import { coredns, kubernetes, nodeTools, policies } from "../artefacts";
import type { Cluster } from "../cluster";
import { nodeUsers, userFile, writeKubeconfig } from "../control-plane";
import { awaitDaemon, daemonPid, startDaemon } from "../daemons";
import { ensureArtefact, type ToolchainOptions } from "../toolchain";
import * as config from "./config";
import { allImages, type Image, imageKey, nodeRoot, packImage } from "./images";
import { nodeObjects } from "./objects";
import { importedFile, importedImages, type OfficialImage } from "./official-images";

/** Ended in this order, before the API server. */
export const nodeDaemons = ["site", "node", "node-api"];

const cgroupHierarchies = "/sys/fs/cgroup";

export interface Node {
  /** Flags with which the API server reaches the node; writes what they name. */
  apiServerFlags(): Promise<string[]>;
  /** Starts what does not run of it, and waits until pods can be scheduled. */
  start(cluster: Cluster, apiPort: number): Promise<void>;
}

export interface NodeOptions extends ToolchainOptions {
  /** In place of the stand-ins of the site's images. */
  officialImages?: OfficialImage[];
}

/** Builds all that a node needs; `folder` is the cluster's. */
export async function openNode(folder: string, options: NodeOptions): Promise<Node> {
  const binaries = [
    await ensureArtefact(kubernetes, options),
    await ensureArtefact(nodeTools, options),
    await ensureArtefact(policies, options),
  ];
  const root = await nodeRoot(options);
  const programs = {
    node: path.join(binaries[1], "node"),
    coredns: path.join(await ensureArtefact(coredns, options), "coredns"),
  };
  const images = await allImages(programs, options);
  return {
    apiServerFlags: () => apiServerFlags(folder),
    start: async (cluster, apiPort) => {
      for (const user of nodeUsers) {
        writeKubeconfig(folder, user, apiPort, path.join(folder, userFile(user)));
      }
      await writeConfiguration(folder);
      startDaemon(folder, {
        name: "node-api",
        command: path.join(binaries[1], "node"),
        args: ["forward", "-from", "unix:api.sock", "-to", `127.0.0.1:${apiPort}`],
      });
      startDaemon(folder, nodeDaemon(folder, root, binaries, apiPort));
      const socketAnswers = () => inNode(folder, ["ctr", "version"]);
      await awaitDaemon(folder, "node", () => socketAnswers().then(() => true));
      await importImages(folder, images);
      await cluster.kubectl(
        ["apply", "--server-side", "--field-manager=embedded-cluster", "-f", "-"],
        JSON.stringify({ apiVersion: "v1", kind: "List", items: nodeObjects(apiPort) }),
      );
      await awaitDaemon(folder, "node", () => isReady(cluster));
    },
  };
}

/** Runs a command within the node and gives its output. */
export async function inNode(folder: string, command: string[], input?: string): Promise<string> {
  const args = [...(await enterArguments(folder)), ...command];
  return (await execa("nsenter", args, { input })).stdout;
}

/** Runs a program of the machine in the node's network, to its end unless the options have it ended before. */
export async function inNodeNetwork(
  folder: string,
  command: string[],
  options: Pick<Options, "cancelSignal" | "env"> = {},
): Promise<string> {
  const enter = ["--target", String(await initPid(folder)), "--net", "--"];
  const { stdout } = await execa("nsenter", [...enter, ...command], options);
  return String(stdout);
}

async function enterArguments(folder: string): Promise<string[]> {
  const pid = await initPid(folder);
  if (pid === undefined) {
    throw new Error(`the node of ${folder} does not run`);
  }
  const namespaces = ["--mount", "--net", "--pid", "--uts", "--ipc", "--root", "--wd"];
  return ["--target", String(pid), ...namespaces, "--"];
}

/** What a node leaves on the machine besides its folder: empty control groups. */
export async function removeTraces(folder: string): Promise<void> {
  if (!existsSync(path.join(folder, "node")) || daemonPid(folder, "node") !== undefined) {
    return;
  }
  const own = cgroup(folder).slice(1);
  const hierarchies = await fs.readdir(cgroupHierarchies);
  const found = [own, ...hierarchies.map((name) => path.join(name, own))]
    .map((name) => path.join(cgroupHierarchies, name))
    .filter(existsSync);
  if (found.length > 0) {
    await execa("find", [...found, "-depth", "-type", "d", "-exec", "rmdir", "{}", ";"]);
  }
}

async function apiServerFlags(folder: string): Promise<string[]> {
  const file = path.join(folder, "kubelet-client");
  if (!existsSync(`${file}.crt`)) {
    // The certificate is its own authority: kubelet trusts this one and no other.
    const attributes = [
      { name: "commonName", value: "kube-apiserver" },
      { name: "organizationName", value: "system:masters" },
    ];
    const usage = { name: "extKeyUsage", clientAuth: true } as const;
    const pem = await generate(attributes, { keySize: 2048, extensions: [usage] });
    await fs.writeFile(`${file}.key`, pem.private, { mode: 0o600 });
    await fs.writeFile(`${file}.crt`, pem.cert, { mode: 0o600 });
  }
  await fs.writeFile(path.join(folder, "egress.yaml"), config.egressSelector());
  return [
    "--egress-selector-config-file=egress.yaml",
    "--kubelet-client-certificate=kubelet-client.crt",
    "--kubelet-client-key=kubelet-client.key",
    "--kubelet-preferred-address-types=InternalIP",
  ];
}

async function writeConfiguration(folder: string): Promise<void> {
  const files: Record<string, string> = {
    "containerd.toml": config.containerd(),
    "kubelet.yaml": config.kubelet(cgroup(folder)),
    "kube-proxy.yaml": config.kubeProxy(),
    "cni/net.d/10-pods.conflist": config.podNetwork(),
  };
  for (const name of ["root", "containerd", "kubelet", "disks", "cni/net.d"]) {
    await fs.mkdir(path.join(folder, "node", name), { recursive: true, mode: 0o700 });
  }
  for (const [name, text] of Object.entries(files)) {
    await fs.writeFile(path.join(folder, "node", name), text);
  }
}

function nodeDaemon(folder: string, root: string, binaries: string[], apiPort: number) {
  const labels = Object.entries(config.node.labels).map(([key, value]) => `${key}=${value}`);
  return {
    name: "node",
    command: "sh",
    args: [path.join(__dirname, "run.sh"), path.join(__dirname, "init.sh")],
    env: {
      PATH: process.env.PATH,
      ROOTFS: root,
      BINARIES: binaries.join(" "),
      API_PORT: String(apiPort),
      NODE: config.node.name,
      NODE_IP: config.node.ip,
      NODE_LABELS: labels.join(),
      REGION: config.node.region,
      SERVICE_RANGE: config.serviceRange,
      CGROUP: cgroup(folder),
    },
  };
}

/** Each cluster's pods are below a control group of its own. */
export function cgroup(folder: string): string {
  return `/matomo-${createHash("sha256").update(folder).digest("hex").slice(0, 12)}`;
}

/** The node's first process, as the machine numbers it. */
async function initPid(folder: string): Promise<number | undefined> {
  const children = async (pid: number) =>
    (await fs.readFile(`/proc/${pid}/task/${pid}/children`, "utf8")).split(" ").map(Number);
  const supervisor = daemonPid(folder, "node");
  const [unshare] = supervisor ? await children(supervisor) : [];
  const [init] = unshare ? await children(unshare) : [];
  return init || undefined;
}

async function importImages(folder: string, images: Image[]): Promise<void> {
  const present = await importedImages(folder);
  for (const image of images) {
    const key = await imageKey(image);
    if (present[image.name] !== key) {
      await importImage(folder, image);
      present[image.name] = key;
      await fs.writeFile(importedFile(folder), JSON.stringify(present));
    }
  }
}

/** Brings an image into the node's containerd. */
export async function importImage(folder: string, image: Image): Promise<void> {
  const command = ["ctr", "--namespace", "k8s.io", "images", "import", "-"];
  const enter = await enterArguments(folder);
  await packImage(image, (archive) =>
    execa("nsenter", [...enter, ...command], { input: archive as Readable }),
  );
}

async function isReady(cluster: Cluster): Promise<boolean> {
  const path = `{.items[*].status.conditions[?(@.type=="Ready")].status}`;
  const ready = await cluster.kubectl(["get", "node", "-o", `jsonpath=${path}`]);
  const driver = await cluster.kubectl([
    "get",
    "csinode",
    "-o",
    "jsonpath={.items[*].spec.drivers[*].name}",
  ]);
  const dns = await cluster.kubectl([
    ...["get", "deployment", "--namespace=kube-system", "coredns"],
    ...["-o", "jsonpath={.status.readyReplicas}"],
  ]);
  return ready === "True" && driver !== "" && dns === "1";
}
