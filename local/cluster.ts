/**
 * The embedded cluster: a real API server with etcd, controllers and scheduler, nodes simulated by
 * kwok, and the stand-in for what DigitalOcean's cloud does. Any number of them, each with a state
 * folder of its own, which holds all that a cluster is.
 */
import { existsSync } from "node:fs";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { execa, ExecaError } from "execa";
import * as lockfile from "proper-lockfile";
import { apiServerPort, isReady } from "./api-server";
import { customResources, etcd, kubernetes, kwok } from "./artefacts";
import * as controlPlane from "./control-plane";
import { startControllers } from "./controllers";
import {
  awaitDaemon,
  daemonNames,
  daemonPid,
  killDaemon,
  startDaemon,
  stopDaemon,
} from "./daemons";
import { nodeDaemons, type NodeOptions, openNode, removeTraces } from "./node/node";
import { baseObjects } from "./objects";
import { checkout, localContext } from "./paths";
import { type LocalWait, localMilliseconds, localSeconds } from "./patience";
import { ensureArtefact, type Report } from "./toolchain";

export interface Cluster {
  /** Its kubeconfig: context matomo-local, a cluster administrator. */
  kubeconfig: string;
  /** Where its processes keep their pid files, logs and data; audit.log tells who changed what. */
  folder: string;
  /** The cloud stand-in's HTTP API. */
  cloudUrl: string;
  /** Runs kubectl on it and gives its output. */
  kubectl(args: string[], input?: string): Promise<string>;
}

export interface ClusterOptions extends NodeOptions {
  /** A real node whose pods run, in place of simulated ones (node/node.ts). Default: false. */
  node?: boolean;
  /** Called when a step begins. Default: silent. */
  report?: Report;
}

/** Before a command is tried again, in milliseconds. */
const pause = 200;

/** Ended in this order: nobody is left without what it speaks to. */
const stopOrder = [
  ...nodeDaemons,
  "cloud",
  "kwok",
  "kube-scheduler",
  "kube-controller-manager",
  "kube-apiserver",
  "etcd",
];

/** Starts what does not run of a cluster; with all of it up, changes nothing. */
export async function startCluster(
  stateFolder: string,
  options: ClusterOptions = {},
): Promise<Cluster> {
  const folder = clusterFolder(stateFolder);
  const kubeconfig = path.join(stateFolder, "kubeconfig");
  const report = options.report ?? (() => undefined);
  const etcdFolder = await ensureArtefact(etcd, options);
  const kubernetesFolder = await ensureArtefact(kubernetes, options);
  const kwokFolder = await ensureArtefact(kwok, options);
  const definitions = await ensureArtefact(customResources, options);
  const node = options.node ? await openNode(folder, options) : undefined;

  controlPlane.writeCredentials(folder);
  const release = await lockCluster(folder);
  try {
    report("etcd");
    if (daemonPid(folder, "etcd") === undefined) {
      await fs.rm(path.join(folder, "etcd.sock:0"), { force: true });
    }
    startDaemon(folder, controlPlane.etcdDaemon(folder, etcdFolder));
    await awaitDaemon(folder, "etcd", async () => existsSync(path.join(folder, "etcd.sock:0")));

    report("API server");
    const port = await apiServerPort(folder);
    const isRestarted = daemonPid(folder, "kube-apiserver") === undefined;
    const flags = await node?.apiServerFlags();
    startDaemon(folder, controlPlane.apiServerDaemon(kubernetesFolder, port, flags));
    await awaitDaemon(folder, "kube-apiserver", () => isReady(folder, port));
    controlPlane.writeKubeconfig(folder, localContext, port, kubeconfig);

    report(node ? "controllers, scheduler" : "controllers, scheduler, simulated nodes");
    const cluster = await openCluster(stateFolder, options);
    if (isRestarted) {
      // They look for a lost API server only every half minute. In a real control plane they lose
      // their leases and are started anew.
      for (const name of ["kube-controller-manager", "kube-scheduler", "kwok"]) {
        await stopDaemon(folder, name);
      }
    }
    if (daemonPid(folder, "kwok") === undefined) {
      // A kwok that ended still holds its nodes' leases, and a new one would wait for their expiry.
      await cluster.kubectl(["delete", "lease", "--all", "--namespace=kube-node-lease"]);
    }
    await startControllers(folder, port, kubernetesFolder, node ? undefined : kwokFolder);
    await applyBase(cluster, definitions, !node);
    if (node) {
      report("node: images, kubelet, DNS");
      await node.start(cluster, port);
    }
    return { ...cluster, cloudUrl: await cloudUrl(folder) };
  } finally {
    await release();
  }
}

/** A cluster that was started, for a caller that did not start it. */
export async function openCluster(
  stateFolder: string,
  options: ClusterOptions = {},
): Promise<Cluster> {
  const folder = clusterFolder(stateFolder);
  const kubeconfig = path.join(stateFolder, "kubeconfig");
  const kubectl = path.join(await ensureArtefact(kubernetes, options), "kubectl");
  // The user's kubeconfig names other clusters, and the user's cache is none of this cluster's.
  const env = { KUBECONFIG: kubeconfig, KUBECACHEDIR: path.join(folder, "kubectl-cache") };
  return {
    kubeconfig,
    folder,
    cloudUrl: await cloudUrl(folder),
    kubectl: (args, input) =>
      whileRefused(folder, async () => (await execa(kubectl, args, { input, env })).stdout),
  };
}

/**
 * How kubectl's last line ends when nobody took its connection to the API server, or the API server's to
 * the node. A command that ran in a pod ends with another line, whatever it said itself.
 */
const refused = new RegExp(
  [
    "^The connection to the server \\S+ was refused - did you specify the right host or port\\?$",
    "^(?:error|Unable to connect to the server): .*dial tcp \\S+: connect: connection refused$",
    '^Error from server: (?:error dialing backend|Get "[^"]+"): dial tcp \\S+: connect: connection refused$',
  ].join("|"),
);

/** Whether a command was certainly not carried out, for want of somebody to speak to. */
export function wasRefused(error: unknown): boolean {
  if (!(error instanceof ExecaError)) return false;
  // What it printed, it did: one of several objects may have been made before the server was gone.
  const lastLine = String(error.stderr).trim().split("\n").at(-1)!;
  return error.stdout === "" && refused.test(lastLine);
}

/** Asks an API server that runs again while it refuses the connection. */
function whileRefused<T>(folder: string, ask: () => Promise<T>): Promise<T> {
  const isRefused = (error: unknown) =>
    daemonPid(folder, "kube-apiserver") !== undefined && wasRefused(error);
  return askAgain(isRefused, "connectionTaken", ask);
}

/** What was made this moment has no conditions yet, which `kubectl wait` takes for a fault. */
const hasNoConditions = (error: unknown) => /conditions accessor error: <nil>/.test(String(error));

/** Asks until there is an answer, or an error of another kind, or the patience is at its end. */
async function askAgain<T>(
  isPassing: (error: unknown) => boolean,
  patience: LocalWait,
  ask: () => Promise<T>,
): Promise<T> {
  const deadline = Date.now() + localMilliseconds(patience);
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!isPassing(error) || Date.now() > deadline) throw error;
      await delay(pause);
    }
  }
}

async function cloudUrl(folder: string): Promise<string> {
  const file = path.join(folder, "cloud.json");
  return existsSync(file) ? JSON.parse(await fs.readFile(file, "utf8")).url : "";
}

/** Ends all processes of a cluster and keeps its data; the names of those that ran. */
export async function stopCluster(stateFolder: string): Promise<string[]> {
  const folder = clusterFolder(stateFolder);
  if (!existsSync(folder)) {
    return [];
  }
  const release = await lockCluster(folder);
  try {
    const stopped: string[] = [];
    const started = daemonNames(folder);
    for (const name of stopOrder.filter((daemon) => started.includes(daemon))) {
      if (await stopDaemon(folder, name)) {
        stopped.push(name);
      }
    }
    await removeTraces(folder);
    return stopped;
  } finally {
    await release();
  }
}

/** Kills one process of a cluster, as a test of what a crash does; a start brings it back. */
export async function crash(stateFolder: string, name: string): Promise<void> {
  await killDaemon(clusterFolder(stateFolder), name);
}

/** Each process of a cluster with its pid, undefined for one that does not run. */
export function clusterStatus(stateFolder: string): Record<string, number | undefined> {
  const folder = clusterFolder(stateFolder);
  return Object.fromEntries(stopOrder.map((name) => [name, daemonPid(folder, name)]));
}

export function clusterFolder(stateFolder: string): string {
  return path.join(stateFolder, "cluster");
}

function lockCluster(folder: string): Promise<() => Promise<void>> {
  return lockfile.lock(folder, { retries: { forever: true, minTimeout: 100, maxTimeout: 500 } });
}

/** Brings the objects of a new cluster, once per set of objects. */
async function applyBase(cluster: Cluster, definitions: string, simulatedNodes: boolean) {
  const file = path.join(cluster.folder, "base.json");
  const text = JSON.stringify({
    apiVersion: "v1",
    kind: "List",
    items: baseObjects(simulatedNodes),
  });
  if (existsSync(file) && (await fs.readFile(file, "utf8")) === text) {
    return;
  }
  // Its definitions are checked by the server; the texts that kubectl would check by cost it seconds.
  const options = ["--server-side", "--validate=ignore", "--field-manager=embedded-cluster"];
  const apply = ["apply", ...options, "-f"];
  const standIns = path.join(checkout, "local", "standins", "crds");
  await cluster.kubectl([...apply, definitions, "-f", standIns]);
  const settled = `--timeout=${localSeconds("clusterSettles")}s`;
  await askAgain(hasNoConditions, "clusterSettles", () =>
    cluster.kubectl(["wait", "--for=condition=Established", "crd", "--all", settled]),
  );
  await cluster.kubectl([...apply, "-"], text);
  if (simulatedNodes) {
    await cluster.kubectl(["wait", "--for=condition=Ready", "node", "--all", settled]);
  }
  await cluster.kubectl(["wait", "--for=create", "serviceaccount/default", settled]);
  await fs.writeFile(file, text);
}
