/**
 * Bench of the adoption tests: a cluster on which real Helm 4 has installed the old chart, with data
 * bearing claims bound and pods running, and an engine whose stack knows nothing of it.
 *
 * On this tier no pod runs, so what adoption asks of one is answered here: a database that knows its
 * passwords, and a config.ini.php.
 */
import { randomBytes } from "node:crypto";
import * as path from "node:path";
import { adopt, rehearse } from "../../fleet/adoption/adopt";
import type { Execute, Executed } from "../../fleet/adoption/execute";
import { JournalFile } from "../../fleet/adoption/journal";
import { openAdoption } from "../../fleet/adoption/open";
import { undo } from "../../fleet/adoption/undo";
import type { Fleet } from "../../fleet/fleet";
import { Output } from "../../fleet/report";
import { checkout } from "../../local/paths";
import type { OperationReport } from "../../fleet/operation";
import { type Live, newSite, type Site } from "../api/harness";
import { installRelease } from "./helm";

/** Everything namespaced that a release or the program makes. */
export const KINDS = [
  ...["configmap", "cronjob", "deployment", "ingress", "issuer", "networkpolicy", "pdb", "pvc"],
  ...["role", "rolebinding", "secret", "service", "serviceaccount", "statefulset"],
].join();

/** Passwords of a release, made as the old deploy script made them. */
export function livePasswords() {
  const [admin, database, root] = [1, 2, 3].map(() => randomBytes(12).toString("base64url"));
  return { admin, database, root };
}

/** What runs in the pods, as far as adoption asks. */
export interface LivePods {
  /** The password that really opens the database, by user. */
  accepted: Record<string, string>;
  /** What config.ini.php on the web volume has. */
  configured?: string;
  mariadb: string;
  matomo?: string;
}

export class AdoptionBench {
  /** Steps of the last run, in order. */
  steps: string[] = [];
  /** Commands that were run in pods, as a process list shows them. */
  readonly commands: string[][] = [];
  /** What the engine's previews said. */
  readonly previews: OperationReport[] = [];

  constructor(
    readonly site: Site,
    readonly passwords: ReturnType<typeof livePasswords>,
    readonly pods: LivePods,
    /** Folder of the stacks' files: the checkout's are never written to. */
    readonly stacks: string,
  ) {}

  /** The plan; nothing is touched. */
  rehearse() {
    return this.asPerson(async () => rehearse(await this.open()));
  }

  /** Adopts; `step` may throw to interrupt it. */
  adopt(step: (what: string) => void = () => undefined) {
    this.steps = [];
    const note = (what: string) => {
      this.steps.push(what);
      step(what);
    };
    return this.asPerson(async () => {
      const args = await this.open();
      return adopt({ ...args, step: note }, await rehearse(args));
    });
  }

  undo() {
    return this.asPerson(async () => {
      const args = await this.open();
      const journal = await args.journal.read();
      return undo({ ...args, step: () => undefined }, journal!);
    });
  }

  get journalPath(): string {
    return new JournalFile(this.stacks, this.site.stack).path;
  }

  /** In the environment of a person's shell, where the Automation API finds `pulumi` and its state. */
  private async asPerson<T>(work: () => Promise<T>): Promise<T> {
    const own = { ...process.env };
    Object.assign(process.env, this.site.engine.env);
    try {
      return await work();
    } finally {
      // The next site's engine must not take this one's for an installed Pulumi.
      for (const name of Object.keys(process.env)) delete process.env[name];
      Object.assign(process.env, own);
    }
  }

  private async open() {
    const { stack, engine, config } = this.site;
    const file = await engine.stackFile(stack, config);
    const signal = new AbortController().signal;
    const fleet: Fleet = {
      ...{ project: checkout, stacks: this.stacks, parallel: 1, output: new Output(false) },
      ...{ interrupted: signal, stopEngine: signal },
    };
    const pack = path.join(checkout, "policy", "run-policy");
    const progress = () => undefined;
    const args = await openAdoption(fleet, { name: stack, file }, pack, progress, this.execute);
    const { preview } = args.engine;
    args.engine.preview = async () => {
      const report = await preview();
      this.previews.push(report);
      return report;
    };
    return args;
  }

  /** All objects of the site, its namespace and Helm's records included, by whoever made them. */
  async objects(): Promise<Live[]> {
    const namespace = JSON.parse(
      await this.site.kubectl("get", "ns", "matomo", "-o", "json", "--show-managed-fields"),
    );
    const args = ["get", KINDS, "-n", "matomo", "-o", "json", "--show-managed-fields"];
    const { items } = JSON.parse(await this.site.kubectl(...args)) as { items: Live[] };
    const own = ({ kind, metadata }: Live) =>
      !(kind === "ConfigMap" && metadata!.name === "kube-root-ca.crt") &&
      !(kind === "ServiceAccount" && metadata!.name === "default");
    return [namespace, ...items.filter(own)];
  }

  /** The UID of each claim's volume. */
  async volumes(): Promise<Record<string, string>> {
    const { items } = JSON.parse(await this.site.kubectl("get", "pv", "-o", "json"));
    return Object.fromEntries(
      (items as Live[]).map(({ metadata, spec }) => [spec.claimRef.name, metadata!.uid!]),
    );
  }

  /** Resources in the stack's state. */
  async resources(): Promise<Live[]> {
    return JSON.parse(await this.site.state()).deployment.resources ?? [];
  }

  private readonly execute: Execute = async (_pod, _container, command, input) => {
    this.commands.push(command);
    const { accepted, configured, mariadb, matomo } = this.pods;
    const said = (stdout: string): Executed => ({ code: 0, stdout, stderr: "" });
    const refused: Executed = { code: 1, stdout: "", stderr: "Access denied" };
    const line = command.join(" ");
    if (line.includes("config.ini.php")) {
      if (configured === undefined) return refused;
      return said(`[General]\nsalt = "0"\n[database]\nhost = "x"\npassword = "${configured}"\n`);
    }
    if (command[0] === "printenv") return refused;
    const [, user] = /^user="(.*)"$/m.exec(input ?? "") ?? [];
    const [, password] = /^password="(.*)"$/m.exec(input ?? "") ?? [];
    if (!user || accepted[user] !== password) return refused;
    if (line.includes("VERSION()"))
      return said(`${mariadb}-MariaDB\n${matomo ? "matomo_option\n" : ""}`);
    return said(`${matomo}\n`);
  };
}

/** What the live release has: a certificate that browsers trust. */
const SETTINGS = { "matomo:edge": { issuer: "production" } };

export interface ReleaseOptions {
  stack?: string;
  values?: Record<string, unknown>;
  clientSide?: boolean;
}

/** A site whose cluster runs the release. */
export async function releasedSite(options: ReleaseOptions = {}): Promise<AdoptionBench> {
  const { stack = "liberty", values, clientSide } = options;
  const site = await newSite(stack, SETTINGS);
  const passwords = livePasswords();
  const { kubeconfig } = site.cluster;
  await installRelease({ kubeconfig, clientSide, values: { passwords, ...values } });
  await settled(site);
  const file = await site.engine.stackFile(stack, site.config);
  const accepted = { "mariadb-admin": passwords.database, root: passwords.root };
  const pods = { accepted, configured: passwords.database, mariadb: "12.0.2", matomo: "5.5.1" };
  return new AdoptionBench(site, passwords, pods, path.dirname(file));
}

/** Waits until the release's pods are ready: nothing changes by itself any more. */
export async function settled(site: Site): Promise<void> {
  const where = ["-n", "matomo", "--timeout=60s"];
  await site.kubectl("rollout", "status", "deployment/matomo", ...where);
  await site.kubectl("rollout", "status", "sts/matomo-mariadb", ...where);
  const bound = "--for=jsonpath={.status.phase}=Bound";
  await site.kubectl("wait", bound, "pvc", "--all", ...where);
  const address = "--for=jsonpath={.status.loadBalancer.ingress}";
  await site.kubectl("wait", address, "ingress/matomo", ...where);
}
