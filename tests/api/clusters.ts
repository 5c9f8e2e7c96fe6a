/**
 * Clusters of the tests, each with a state folder of its own. None outlives the run, whatever became of
 * the test or the hook that started it; and of one under which something failed, what tells why stays.
 */
import * as fs from "node:fs/promises";
import * as os from "node:os";
import * as path from "node:path";
import { after, before, type Runnable, type Suite } from "mocha";
import { type Cluster, openCluster, startCluster, stopCluster } from "../../local/cluster";
import { checkout } from "../../local/paths";
import { seconds } from "../waits";

/** Holds a folder for each cluster under which something failed. */
const KEPT = path.join(checkout, "reports", "failed");
/** What is noted of such a cluster, by file. No Secret: the folder may be handed on. */
const VIEWS: Record<string, string[]> = {
  "events.txt": ["get", "events", "-A", "--sort-by=.lastTimestamp", "-o", "wide"],
  "pods.txt": ["describe", "pods", "-A"],
  "nodes.txt": ["describe", "nodes"],
};
const NOT_READABLE = ["secrets", "events", "events.events.k8s.io"];
const REQUEST = `--request-timeout=${seconds("requestAnswered")}s`;

interface Started {
  /** Settles when its start has ended, one way or the other. */
  start: Promise<unknown>;
  /** Failures of the run when it was started. */
  failures: number;
}

/** Clusters of this process that nobody ended yet, by state folder. */
const started = new Map<string, Started>();
let root: Suite | undefined;

/** Starts a cluster with nothing on it, in a new folder. Who does so ends it; the run does at the latest. */
export async function ownCluster(title: string): Promise<{ folder: string; cluster: Cluster }> {
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), `matomo-${title}-`));
  const start = startCluster(folder);
  started.set(folder, { start: start.catch(() => undefined), failures: failures() });
  return { folder, cluster: await start };
}

/**
 * Ends what uses a cluster and itself, and removes its folder. If a test failed meanwhile, what tells why
 * is noted under the title.
 */
export async function endCluster(folder: string, title = path.basename(folder)): Promise<void> {
  const entry = started.get(folder);
  // A hook that ran out of time left it on its way.
  await entry?.start;
  started.delete(folder);
  try {
    if (failures() > (entry?.failures ?? 0)) await keep(folder, title);
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

/** Notes logs, state, objects and events of a cluster, and says where. Fails never: a test did. */
async function keep(folder: string, title: string): Promise<void> {
  const target = path.join(KEPT, title);
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
  };
  const steps = [copy("cluster", (file) => file.endsWith(".log")), copy("backend"), look()];
  await fs.mkdir(target, { recursive: true });
  const done = await Promise.allSettled(steps);
  const missing = done.flatMap((step) => (step.status === "rejected" ? [String(step.reason)] : []));
  if (missing.length > 0) await fs.writeFile(path.join(target, "missing.txt"), missing.join("\n"));
  console.error(`To be looked at, for something failed: ${target}`);
}

/** Tests and hooks of the run that failed so far. */
function failures(): number {
  return root === undefined ? 0 : failuresIn(root);
}

function failuresIn(suite: Suite): number {
  // Hooks have no other way to them.
  const hooks = suite as unknown as Record<string, Runnable[]>;
  const runnables = [
    ...suite.tests,
    ...["_beforeAll", "_beforeEach", "_afterEach", "_afterAll"].flatMap((kind) => hooks[kind]),
  ];
  const own = runnables.filter(({ state }) => state === "failed").length;
  return suite.suites.reduce((sum, inner) => sum + failuresIn(inner), own);
}

before(function () {
  root = this.test?.parent;
});

after("every cluster of the run is ended", async () => {
  const ended = await Promise.allSettled([...started.keys()].map((folder) => endCluster(folder)));
  for (const result of ended) if (result.status === "rejected") throw result.reason;
});
