/**
 * Bench of the node tier: one site whose pods really run, shared by the files of this folder, and
 * what the tests ask of it.
 *
 * With MATOMO_DIST the Matomo inside is the real one that it names, else the look-alike.
 */
import * as assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import type { Cluster } from "../../local/cluster";
import { type Engine, openEngine } from "../../local/engine";
import { inNode } from "../../local/node/node";
import { openSite, query } from "../../local/node/site";
import { ownCluster } from "../api/clusters";
import { type Live, neverDue, Site } from "../api/harness";
import { isSoak } from "../soak";
import { eventually, milliseconds, type Wait, within } from "../waits";

export type { Live };
/** How long a site is under full load, in seconds: for endurance with SOAK=1. */
export const LOAD_SECONDS = isSoak ? 300 : 30;
export const HOST = "matomo.local.example.com";

/** Makes the plugin Kept in the current folder, as the Marketplace would unpack it. */
export const KEPT_PLUGIN = [
  `echo '{"name": "Kept", "version": "1.0.0", "require": {"matomo": ">=5.0.0-b1"}}' >plugin.json`,
  `printf '<?php\\nnamespace Piwik\\\\Plugins\\\\Kept;\\nclass Kept extends \\\\Piwik\\\\Plugin {}\\n' >Kept.php`,
].join(" && ");

/** How a Job ended, and what its pods said. */
export interface JobResult {
  succeeded: boolean;
  log: string;
}

export class NodeSite extends Site {
  /** What the pods of all Jobs said whose end was awaited. */
  readonly said: string[] = [];

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
  visit(visitor: string, headers: Record<string, string> = {}): Promise<Response> {
    const id = Buffer.from(visitor).toString("hex").padEnd(16, "0").slice(0, 16);
    const page = encodeURIComponent(`https://${HOST}/${visitor}`);
    const query = `idsite=1&rec=1&_id=${id}&url=${page}`;
    // A request in flight when its pod was killed is never answered.
    const signal = AbortSignal.timeout(milliseconds("requestAnswered"));
    return fetch(`${this.url}matomo.php?${query}`, { headers, signal });
  }

  /** Of these visitors, the ones whose page view is not in the database. */
  async lost(visitors: string[]): Promise<string[]> {
    const [table, column] = process.env.MATOMO_DIST
      ? ["log_action", "name"]
      : ["log_link_visit_action", "url"];
    const pages = `SELECT SUBSTRING_INDEX(${column}, '/', -1) FROM matomo_${table}`;
    const kept = new Set((await this.query(pages)).split("\n"));
    return visitors.filter((visitor) => !kept.has(visitor));
  }

  /** The status with which a page view was answered. */
  async track(visitor: string, headers: Record<string, string> = {}): Promise<number> {
    return (await this.visit(visitor, headers)).status;
  }

  /** Asks Matomo's API with the archive token, as JSON. */
  async api(method: string, more: Record<string, string> = {}): Promise<Live> {
    const token = (await this.secret("matomo"))["archive-token"];
    const body = new URLSearchParams({
      ...{ module: "API", method, format: "json", token_auth: token },
      ...more,
    });
    const signal = AbortSignal.timeout(milliseconds("requestAnswered"));
    const answer = await fetch(`${this.url}index.php`, { method: "POST", body, signal });
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

  /** Waits until the web pod is Ready, the one before it gone, and the way from outside leads to it. */
  async webReady(): Promise<void> {
    const deployment = ["-n", "matomo", "deployment/matomo"];
    await this.kubectl("rollout", "status", ...deployment, within("rolloutEnds"));
    const theNewPod = async () => {
      // Short: what is sent to the pod before is never answered.
      const signal = AbortSignal.timeout(milliseconds("requestAnswered") / 10);
      const { status } = await fetch(`${this.url}matomo.php`, { signal });
      assert.equal(status, 200);
      return true;
    };
    await eventually("the ingress has the new pod", theNewPod, "serverAnswers");
  }

  /** Waits until the node holds every pod that there is to the policies that there are. */
  async policiesInForce(): Promise<void> {
    const all = async (kind: string): Promise<Live[]> =>
      JSON.parse(await this.kubectl("get", kind, "-A", "-o", "json")).items;
    const named = (objects: Live[], value: (object: Live) => string) =>
      Object.fromEntries(
        objects.map((object) => [
          `${object.metadata!.namespace}/${object.metadata!.name}`,
          value(object),
        ]),
      );
    await eventually("the rules of every policy are in force", async () => {
      const pods = (await all("pods")).filter(
        ({ spec, status }) =>
          status.podIP && !spec.hostNetwork && !["Succeeded", "Failed"].includes(status.phase),
      );
      const policies = await all("networkpolicies");
      const told = JSON.parse(await this.onNode("cat", "/run/policies.json"));
      assert.deepEqual(told, {
        pods: named(pods, ({ status }) => status.podIP),
        policies: named(policies, ({ metadata }) => metadata!.resourceVersion!),
      });
      return true;
    });
  }

  /**
   * Nobody here answers for who has the GeoIP database: Matomo's task for it is not due, so that no archive
   * run fails by it. geoip.test.ts has the task and a server.
   */
  async geoDatabaseIsNotDue(): Promise<void> {
    const task = "Piwik\\Plugins\\GeoIp2\\GeoIP2AutoUpdater.update";
    const in2100 = 4_102_444_800;
    const timetable = `a:1:{s:${task.length}:"${task}";i:${in2100};}`.replaceAll("\\", "\\\\");
    await this.query(
      `INSERT INTO matomo_option (option_name, option_value, autoload)
       VALUES ('TaskScheduler.timetable', '${timetable}', 0)
       ON DUPLICATE KEY UPDATE option_value = VALUES(option_value)`,
    );
  }

  /** Ends the web pod as a node would, and waits for the next one. */
  async restartWeb(): Promise<void> {
    await this.kubectl("delete", "pod", "-n", "matomo", (await this.pod("web")).metadata!.name!);
    await this.webReady();
  }

  /** Waits for a Job's end; its pods may have a fifth of a processor. */
  async jobResult(name: string, wait: Wait = "jobEnds"): Promise<JobResult> {
    const ended = async () => {
      const { status } = await this.get("job", name);
      return (status.conditions as Live[] | undefined)?.find(
        ({ type, status }) => status === "True" && (type === "Complete" || type === "Failed"),
      );
    };
    const conditions = await eventually(`job ${name} ended`, ended, wait);
    const selector = `job-name=${name}`;
    const all = ["--all-containers", "--tail=-1", "--prefix"];
    const log = await this.kubectl("logs", "-n", "matomo", "-l", selector, ...all);
    this.said.push(log);
    return { succeeded: conditions.type === "Complete", log };
  }

  async runJob(cronJob: string, name: string, change?: (job: Live) => void): Promise<JobResult> {
    await this.makeJob(cronJob, name, change);
    return this.jobResult(name);
  }

  /** Takes the web pod away until somebody scales it up again, and waits until it is gone. */
  async stopWeb(): Promise<void> {
    await this.kubectl("scale", "-n", "matomo", "deployment/matomo", "--replicas=0");
    const gone = async () =>
      (await this.list("pods")).every(
        ({ metadata }) => metadata!.labels?.["app.kubernetes.io/component"] !== "web",
      );
    await eventually("the web pod is gone", gone, "podGone");
  }

  /**
   * Most memory that a component's container had, and its limit, in bytes. What it read of files counts as
   * well and gives way at the limit: only assertNoneKilled tells that the memory was enough.
   */
  async memory(component: string): Promise<{ peak: number; limit: number }> {
    const files =
      "cat /sys/fs/cgroup/memory/memory.max_usage_in_bytes /sys/fs/cgroup/memory.peak " +
      "2>/dev/null; cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null || true";
    const [peak, limit] = (await this.shell(component, files)).split("\n").map(Number);
    const used = `${Math.round(peak / 2 ** 20)} of ${limit / 2 ** 20} MiB`;
    console.log(`      ${component}: ${used}`);
    return { peak, limit };
  }

  /** Fails when the kernel ended a process of the container for its memory, be it one of many. */
  async assertNoneKilled(component: string): Promise<void> {
    const files = "cat /sys/fs/cgroup/memory/memory.oom_control /sys/fs/cgroup/memory.events";
    const events = await this.shell(component, `${files} 2>/dev/null || true`);
    assert.match(events, /^oom_kill 0$/m, component);
    const [status] = (await this.pod(component)).status.containerStatuses as Live[];
    assert.equal(status.restartCount, 0, component);
  }

  /** Runs a command on the node itself, beside the pods. */
  onNode(...command: string[]): Promise<string> {
    return inNode(this.cluster.folder, command);
  }
}

/** Visits at a steady rate, none of which waits for another. */
export class Visitors {
  /** Those whose visit was answered 200. */
  readonly answered: string[] = [];
  asked = 0;
  private gap = 0;
  private last = Date.now();
  private isOver = false;
  private readonly running: Promise<void>;

  constructor(
    private readonly site: NodeSite,
    /** What their names begin with. */
    private readonly prefix: string,
  ) {
    this.running = this.run();
  }

  /** The longest time without an answer while something happens and until they come again, in seconds. */
  async during(title: string, happens: () => Promise<unknown>): Promise<number> {
    [this.gap, this.last] = [0, Date.now()];
    await happens();
    const since = this.answered.length;
    const again = () => this.answered.length > since + 5;
    await eventually(`answers after: ${title}`, again, "serverAnswers");
    return this.gap / 1000;
  }

  /** No more visits; all are answered, or never will be. */
  async end(): Promise<void> {
    this.isOver = true;
    await this.running;
  }

  private async run(): Promise<void> {
    const visits: Promise<void>[] = [];
    while (!this.isOver) {
      visits.push(this.visit(`${this.prefix}${(this.asked++).toString(36)}`));
      await delay(50);
    }
    await Promise.all(visits);
  }

  private async visit(visitor: string): Promise<void> {
    // Refused: no visit was promised.
    const status = await this.site.track(visitor).catch(() => 0);
    if (status !== 200) return;
    this.answered.push(visitor);
    this.gap = Math.max(this.gap, Date.now() - this.last);
    this.last = Date.now();
  }
}

/** A node and an engine without any stack, on which the clock makes no Jobs. */
export async function emptyNode(): Promise<NodeSite> {
  const { folder, cluster } = await ownCluster("node", { node: true });
  const engine = await openEngine(folder, { standIns: "always" });
  const own = { context: "matomo-local", kubeconfig: cluster.kubeconfig };
  return new NodeSite(folder, cluster, engine, { "matomo:cluster": own, ...neverDue() });
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
    await site.geoDatabaseIsNotDue();
    return site;
  })();
  return shared;
}
