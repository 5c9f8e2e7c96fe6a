/**
 * Clusters of the tests, each with a state folder of its own. None outlives the run, whatever became of
 * the test or the hook that started it.
 */
import * as fs from "node:fs/promises";
import * as os from "node:os";
import * as path from "node:path";
import { after } from "mocha";
import {
  type Cluster,
  type ClusterOptions,
  openCluster,
  startCluster,
  stopCluster,
} from "../../local/cluster";
import { forget, observe, type Observed } from "../evidence";
import { seconds } from "../waits";

/** What is noted of a cluster under which something failed, by file. No Secret: it may be handed on. */
const VIEWS: Record<string, string[]> = {
  "events.txt": ["get", "events", "-A", "--sort-by=.lastTimestamp", "-o", "wide"],
  "pods.txt": ["describe", "pods", "-A"],
  "nodes.txt": ["describe", "nodes"],
};
const NOT_READABLE = ["secrets", "events", "events.events.k8s.io"];
const REQUEST = `--request-timeout=${seconds("requestAnswered")}s`;

interface Started extends Observed {
  /** Settles when its start has ended, one way or the other. */
  start: Promise<unknown>;
}

/** Clusters of this process that nobody ended yet, by state folder. */
const started = new Map<string, Started>();

/** Starts a cluster with nothing on it, in a new folder. Who does so ends it; the run does at the latest. */
export async function ownCluster(
  title: string,
  options: ClusterOptions = {},
): Promise<{ folder: string; cluster: Cluster }> {
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), `matomo-${title}-`));
  const start = startCluster(folder, options);
  const collect = (to: string) => note(folder, to, Boolean(options.node));
  started.set(folder, { title, collect, start: start.catch(() => undefined) });
  observe(started.get(folder)!);
  return { folder, cluster: await start };
}

/** Ends what uses a cluster and itself, and removes its folder. */
export async function endCluster(folder: string): Promise<void> {
  const entry = started.get(folder);
  // A hook that ran out of time left it on its way.
  await entry?.start;
  started.delete(folder);
  try {
    if (entry) await forget(entry);
  } finally {
    await endOrphans(path.join(folder, "pulumi"));
    await stopCluster(folder);
    await fs.rm(folder, { recursive: true, force: true });
  }
}

/**
 * Ends what a killed engine left running: Node 20 can spin for ever over the error that its program
 * then shows, with gigabytes of memory. Known by the engine's home in their environment.
 */
export async function endOrphans(home: string): Promise<void> {
  const processes = await fs.readdir("/proc").catch(() => []);
  for (const pid of processes.filter((name) => /^\d+$/.test(name))) {
    const environment = await fs.readFile(`/proc/${pid}/environ`, "utf8").catch(() => "");
    if (!environment.split("\0").includes(`PULUMI_HOME=${home}`)) continue;
    try {
      process.kill(Number(pid), "SIGKILL");
    } catch {
      // It ended by itself in the meantime.
    }
  }
}

/** Notes logs, state, objects and events of a cluster, as far as it answers. */
async function note(folder: string, target: string, hasNode: boolean): Promise<void> {
  const copy = async (name: string, which: (file: string) => boolean = () => true) =>
    fs.cp(path.join(folder, name), path.join(target, name), {
      recursive: true,
      filter: (file) => file === path.join(folder, name) || which(file),
    });
  const look = async () => {
    const { kubectl } = await openCluster(folder);
    const kinds = (await kubectl(["api-resources", "--verbs=list", "-o", "name", REQUEST]))
      .split("\n")
      .filter((kind) => !NOT_READABLE.includes(kind));
    const views = { ...VIEWS, "objects.yaml": ["get", kinds.join(), "-A", "-o", "yaml"] };
    for (const [file, args] of Object.entries(views)) {
      const text = await kubectl([...args, REQUEST]).catch(String);
      await fs.writeFile(path.join(target, file), text);
    }
    if (!hasNode) return;
    const names = (await kubectl(["get", "pods", "-n", "matomo", "-o", "name", REQUEST])).split(
      "\n",
    );
    for (const name of names.filter(Boolean)) {
      const args = ["logs", "-n", "matomo", name, "--all-containers", "--prefix", REQUEST];
      const file = path.join(target, `${name.replace("/", "-")}.log`);
      await fs.writeFile(file, await kubectl(args).catch(String));
    }
  };
  const steps = [copy("cluster", (file) => file.endsWith(".log")), copy("backend"), look()];
  const done = await Promise.allSettled(steps);
  const missing = done.flatMap((step) => (step.status === "rejected" ? [String(step.reason)] : []));
  if (missing.length > 0) await fs.writeFile(path.join(target, "missing.txt"), missing.join("\n"));
}

after("every cluster of the run is ended", async () => {
  const ended = await Promise.allSettled([...started.keys()].map((folder) => endCluster(folder)));
  for (const result of ended) if (result.status === "rejected") throw result.reason;
});
