/**
 * Bench of the node tier: one site whose pods really run, shared by the files of this folder, and
 * what the tests ask of it. Runs as root on Linux; elsewhere the files say that they were left out.
 *
 * With MATOMO_DIST the Matomo inside is the real one that it names, else the look-alike.
 */
import * as assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import * as os from "node:os";
import * as path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { after } from "mocha";
import { type Cluster, startCluster } from "../../local/cluster";
import { type Engine, openEngine } from "../../local/engine";
import { inNode } from "../../local/node/node";
import { openSite, query } from "../../local/node/site";
import { nodeRefusal } from "../../local/node/tier";
import { type Live, Site } from "../api/harness";

export type { Live };
export const HOST = "matomo.local.example.com";

/** How a Job ended, and what its pods said. */
export interface JobResult {
  succeeded: boolean;
  log: string;
}

export class NodeSite extends Site {
  constructor(
    folder: string,
    cluster: Cluster,
    engine: Engine,
    config: Record<string, unknown>,
    /** Where the site is on the loopback. */
    public url = "",
  ) {
    super("local", folder, cluster, engine, config);
  }

  /** Asks the database: tab-separated lines. */
  async query(sql: string): Promise<string> {
    return (await query(this.cluster, sql)).trim();
  }

  async visits(): Promise<number> {
    return Number(await this.query("SELECT COUNT(*) FROM matomo_log_visit"));
  }

  /** Page views. Real Matomo takes visitors of one address and browser for one within half an hour. */
  async pageViews(): Promise<number> {
    return Number(await this.query("SELECT COUNT(*) FROM matomo_log_link_visit_action"));
  }

  /** One page view of a visitor; each name is another page, and for the look-alike another visitor. */
  async track(visitor: string, headers: Record<string, string> = {}): Promise<number> {
    const id = Buffer.from(visitor).toString("hex").padEnd(16, "0").slice(0, 16);
    const page = encodeURIComponent(`https://${HOST}/${visitor}`);
    const query = `idsite=1&rec=1&_id=${id}&url=${page}`;
    // A request in flight when its pod was killed is never answered.
    const signal = AbortSignal.timeout(20_000);
    return (await fetch(`${this.url}matomo.php?${query}`, { headers, signal })).status;
  }

  /** Asks Matomo's API with the archive token, as JSON. */
  async api(method: string, more: Record<string, string> = {}): Promise<Live> {
    const token = (await this.secret("matomo"))["archive-token"];
    const body = new URLSearchParams({
      ...{ module: "API", method, format: "json", token_auth: token },
      ...more,
    });
    const answer = await fetch(`${this.url}index.php`, { method: "POST", body });
    const text = await answer.text();
    assert.equal(answer.status, 200, text);
    return JSON.parse(text);
  }

  /** The pod of a component that has not ended and is not about to. */
  async pod(component: string): Promise<Live> {
    const label = `app.kubernetes.io/component=${component}`;
    const list = await this.kubectl("get", "pods", "-n", "matomo", "-l", label, "-o", "json");
    const pods = (JSON.parse(list).items as Live[]).filter(
      ({ metadata, status }) =>
        !metadata!.deletionTimestamp && !["Succeeded", "Failed"].includes(status.phase),
    );
    assert.equal(pods.length, 1, `pods of ${component}`);
    return pods[0];
  }

  /** Runs a command in a component's pod. */
  async exec(component: string, ...command: string[]): Promise<string> {
    const { metadata, spec } = await this.pod(component);
    const where = [metadata!.name!, "-c", spec.containers[0].name];
    return this.kubectl("exec", "-n", "matomo", ...where, "--", ...command);
  }

  /** Runs a shell script in a component's pod. */
  shell(component: string, script: string): Promise<string> {
    return this.exec(component, "bash", "-c", script);
  }

  /** Waits until the web pod is Ready, and the one before it gone. */
  async webReady(): Promise<void> {
    const rollout = ["rollout", "status", "-n", "matomo", "deployment/matomo", "--timeout=180s"];
    await this.kubectl(...rollout);
  }

  /** Ends the web pod as a node would, and waits for the next one. */
  async restartWeb(): Promise<void> {
    await this.kubectl("delete", "pod", "-n", "matomo", (await this.pod("web")).metadata!.name!);
    await this.webReady();
  }

  /** The Job that a CronJob would make now; `change` may alter it. */
  async makeJob(cronJob: string, name: string, change?: (job: Live) => void): Promise<void> {
    const from = `--from=cronjob/${cronJob}`;
    const made = await this.kubectl(
      ...["create", "job", "-n", "matomo", from, name, "--dry-run=client", "-o", "json"],
    );
    const job: Live = JSON.parse(made);
    change?.(job);
    await this.cluster.kubectl(["create", "-f", "-"], JSON.stringify(job));
  }

  /** Waits for a Job's end. */
  async jobResult(name: string, seconds = 180): Promise<JobResult> {
    const conditions = await until(`job ${name} ended`, seconds, async () => {
      const { status } = await this.get("job", name);
      return (status.conditions as Live[] | undefined)?.find(
        ({ type, status }) => status === "True" && (type === "Complete" || type === "Failed"),
      );
    });
    const selector = `job-name=${name}`;
    const all = ["--all-containers", "--tail=-1", "--prefix"];
    const log = await this.kubectl("logs", "-n", "matomo", "-l", selector, ...all);
    return { succeeded: conditions.type === "Complete", log };
  }

  async runJob(cronJob: string, name: string, change?: (job: Live) => void): Promise<JobResult> {
    await this.makeJob(cronJob, name, change);
    return this.jobResult(name);
  }

  /** Runs a command on the node itself, beside the pods. */
  onNode(...command: string[]): Promise<string> {
    return inNode(this.cluster.folder, command);
  }
}

/** Polls a condition that nothing announces; the error says what was waited for. */
export async function until<T>(
  what: string,
  seconds: number,
  condition: () => Promise<T | undefined | false>,
): Promise<T> {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const found = await condition();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`not within ${seconds} s: ${what}`);
    await delay(200);
  }
}

/** A node and an engine without any stack. */
export async function emptyNode(): Promise<NodeSite> {
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), "matomo-node-"));
  const cluster = await startCluster(folder, { node: true });
  const engine = await openEngine(folder, { standIns: "always" });
  const own = { context: "matomo-local", kubeconfig: cluster.kubeconfig };
  return new NodeSite(folder, cluster, engine, { "matomo:cluster": own });
}

let shared: Promise<NodeSite> | undefined;
/** Seconds from the start of the shared site's `pulumi up` to its first recorded visit. */
export let firstVisitSeconds = 0;

/** The site of this run, up; each file leaves it working. */
export function sharedSite(): Promise<NodeSite> {
  shared ??= (async () => {
    const site = await emptyNode();
    const started = Date.now();
    await site.up();
    site.url = await openSite(site.cluster);
    assert.equal(await site.track("first"), 200);
    assert.equal(await site.visits(), 1);
    firstVisitSeconds = (Date.now() - started) / 1000;
    return site;
  })();
  return shared;
}

/** Leaves a file's tests out where no node can run, and says why. */
export function needsNode(this: Mocha.Context): void {
  const refusal = nodeRefusal();
  if (refusal !== undefined) {
    console.log(`      left out: ${refusal}`);
    this.skip();
  }
}

after(async function () {
  this.timeout(120_000);
  await shared?.then((site) => site.close()).catch(() => undefined);
});
