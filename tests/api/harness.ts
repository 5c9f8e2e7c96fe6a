/**
 * Bench of the api tier: stacks on the real engine and clusters with a real API server, each with a
 * state folder of its own, and what the tests ask of both.
 *
 * Sites that no test harms are shared between the files: `sharedSite` brings one up at its first use.
 */
import * as fs from "node:fs/promises";
import * as path from "node:path";
import type { KubernetesObject } from "@kubernetes/client-node";
import type { Cluster } from "../../local/cluster";
import { type Engine, openEngine, type PulumiResult, type RunOptions } from "../../local/engine";
import { localContext } from "../../local/paths";
import { within } from "../waits";
import { endCluster, ownCluster } from "./clusters";

export { endOrphans } from "./clusters";

/** A Kubernetes object as kubectl prints it. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type Live = KubernetesObject & Record<string, any>;

/** One step of a preview. */
export interface Step {
  /** create, update, replace, delete, same, … */
  op: string;
  /** Pulumi's type, such as kubernetes:core/v1:Secret. */
  type: string;
  name: string;
  /** Properties that differ. */
  diff: string[];
}

/** One request, as the API server's audit log has it. */
export interface AuditEvent {
  user: { username: string };
  verb: string;
  requestURI: string;
  objectRef?: { resource: string; namespace?: string; name?: string };
  responseStatus?: { code: number };
}

/** Everything that the engine printed in this run, for the search for secrets. */
const transcript: string[] = [];
export function printed(): string {
  return transcript.join("\n");
}

/** One stack on a cluster of its own. */
export class Site {
  constructor(
    readonly stack: string,
    readonly folder: string,
    readonly cluster: Cluster,
    readonly engine: Engine,
    /** Settings over those of the stack's file. */
    public config: Record<string, unknown> = {},
  ) {}

  /** Runs the engine; a failure is an error with its whole output. */
  async pulumi(args: string[], options: RunOptions = {}): Promise<PulumiResult> {
    const result = await this.attempt(args, options);
    if (result.exitCode !== 0) {
      throw new Error(`pulumi ${args.join(" ")}: ${result.exitCode}\n${outputOf(result)}`);
    }
    return result;
  }

  /** Runs the engine; the caller judges the exit code. */
  async attempt(args: string[], options: RunOptions = {}): Promise<PulumiResult> {
    const config = { ...this.config, ...options.config };
    const process = { ...options.process, reject: false };
    const result = await this.engine.pulumi(args, {
      stack: this.stack,
      ...options,
      config,
      process,
    });
    transcript.push(outputOf(result));
    return result;
  }

  up(config: Record<string, unknown> = {}): Promise<PulumiResult> {
    return this.pulumi(["up", "--yes", "--skip-preview"], { config });
  }

  /** Steps of a preview that do something. */
  async preview(config: Record<string, unknown> = {}): Promise<Step[]> {
    const { stdout } = await this.pulumi(["preview", "--json"], { config });
    return stepsOf(stdout).filter(({ op }) => op !== "same" && op !== "read");
  }

  /** Neither the program nor the cluster differs from the state. */
  async expectUnchanged(): Promise<void> {
    await this.pulumi(["preview", "--expect-no-changes"]);
    await this.pulumi(["refresh", "--yes", "--skip-preview", "--expect-no-changes"]);
  }

  /** The stack's state, secrets as they are in the file. */
  async state(): Promise<string> {
    return (await this.pulumi(["stack", "export"])).stdout;
  }

  async kubectl(...args: string[]): Promise<string> {
    return this.cluster.kubectl(args);
  }

  /** Objects of these kinds, comma separated, in the site's namespace. */
  async list(kinds: string): Promise<Live[]> {
    return JSON.parse(await this.kubectl("get", kinds, "-n", "matomo", "-o", "json")).items;
  }

  async get(kind: string, name: string): Promise<Live> {
    return JSON.parse(await this.kubectl("get", kind, name, "-n", "matomo", "-o", "json"));
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

  /** Has a CronJob's run now, to its end. No history limit takes it away: the caller does. */
  async runOnce(cronJob: string, name: string): Promise<void> {
    await this.makeJob(cronJob, name, ({ metadata }) => delete metadata!.ownerReferences);
    const complete = ["--for=condition=Complete", within("jobEnds")];
    await this.kubectl("wait", `job/${name}`, ...complete, "-n", "matomo");
  }

  /** A Secret's values in clear. */
  async secret(name: string): Promise<Record<string, string>> {
    const { data } = await this.get("secret", name);
    const clear = ([key, value]: [string, unknown]) => [
      key,
      Buffer.from(value as string, "base64").toString(),
    ];
    return Object.fromEntries(Object.entries(data).map(clear));
  }

  /** Passwords and tokens of the site, by Secret and key. */
  async passwords(): Promise<Record<string, string>> {
    const names = ["matomo", "matomo-mariadb", "matomo-backup"];
    const secrets = await Promise.all(names.map((name) => this.secret(name)));
    return Object.fromEntries(
      secrets.flatMap((data, i) =>
        Object.entries(data)
          .filter(([key]) => /password|token/.test(key))
          .map(([key, value]) => [`${names[i]}/${key}`, value]),
      ),
    );
  }

  /** Requests of who has the site's kubeconfig, reads too. */
  requests(): Promise<AuditEvent[]> {
    return requestsOn(this.cluster);
  }

  /** Ends the cluster and forgets the state. */
  close(): Promise<void> {
    return endCluster(this.folder);
  }
}

/** Requests of who has a cluster's kubeconfig, reads too, in the API server's own log of them. */
export async function requestsOn({ folder }: Cluster): Promise<AuditEvent[]> {
  const log = await fs.readFile(path.join(folder, "audit.log"), "utf8");
  // What follows the last line's end is a line that is being written.
  const lines = log.split("\n").slice(0, -1);
  const events = lines.map((line) => JSON.parse(line) as AuditEvent);
  return events.filter(({ user }) => user.username === localContext);
}

/**
 * Schedules that are due in half a year: the clock makes no Jobs beside those of a test. A test that is
 * about schedules states its own.
 */
export function neverDue(): Record<string, { schedule: string }> {
  const month = ((new Date().getUTCMonth() + 6) % 12) + 1;
  return {
    "matomo:archive": { schedule: `5 0 1 ${month} *` },
    "matomo:backup": { schedule: `0 0 1 ${month} *` },
  };
}

/** A cluster with nothing on it, and an engine without state; by default nothing is ever due. */
export async function newSite(stack: string, config?: Record<string, unknown>): Promise<Site> {
  const { folder, cluster } = await ownCluster(`api-${stack}`);
  const engine = await openEngine(folder, { standIns: "always" });
  // Its stack file names the kubeconfig of `npm start`.
  const own = { context: "matomo-local", kubeconfig: cluster.kubeconfig };
  const base = stack === "local" ? { "matomo:cluster": own } : {};
  return new Site(stack, folder, cluster, engine, { ...base, ...neverDue(), ...config });
}

const shared = new Map<string, Promise<Site>>();

/** The stack's site, up, on a cluster that other files use too: leave it as it was found. */
export function sharedSite(stack: string): Promise<Site> {
  const make = async () => {
    const site = await newSite(stack);
    // The preview as a person sees it, and the update: both belong to the transcript.
    await site.pulumi(["up", "--yes", "--diff"]);
    return site;
  };
  const site = shared.get(stack) ?? make();
  shared.set(stack, site);
  return site;
}

export function outputOf({ stdout, stderr }: PulumiResult): string {
  return `${stdout}\n${stderr}`;
}

/** Steps of `pulumi preview --json`. */
export function stepsOf(json: string): Step[] {
  const { steps } = JSON.parse(json) as {
    steps: { op: string; urn: string; detailedDiff?: Record<string, unknown> }[];
  };
  return steps.map(({ op, urn, detailedDiff }) => {
    const [type, name] = urn.split("::").slice(-2);
    return { op, type: type.split("$").at(-1)!, name, diff: Object.keys(detailedDiff ?? {}) };
  });
}

/** `Kind/name` of each object, sorted. */
export function titles(objects: Live[]): string[] {
  return objects.map(title).sort();
}

function title({ kind, metadata }: Live): string {
  return `${kind}/${metadata!.name}`;
}

/** The UID of each object: whether it is still the same one. */
export function uids(objects: Live[]): Record<string, string> {
  return Object.fromEntries(objects.map((object) => [title(object), object.metadata!.uid!]));
}

/** Each object as it was asked for, who did so included; its status is the controllers'. */
export function wanted(objects: Live[]): Record<string, unknown> {
  return Object.fromEntries(objects.map((object) => [title(object), withoutStatus(object)]));
}

function withoutStatus(object: Live): object {
  const { resourceVersion, managedFields, ...metadata } = object.metadata!;
  // A Secret, a ConfigMap and a role have no status that changes it.
  const version = "status" in object ? undefined : resourceVersion;
  const managers = managedFields?.filter(({ subresource }) => subresource !== "status");
  return { ...object, status: undefined, metadata: { ...metadata, version, managers } };
}
