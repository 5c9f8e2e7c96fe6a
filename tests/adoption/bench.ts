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
import type { Execute } from "../../fleet/execute";
import { JournalFile } from "../../fleet/journal";
import { openAdoption } from "../../fleet/adoption/open";
import type { Fleet } from "../../fleet/fleet";
import { Output } from "../../fleet/report";
import { checkout } from "../../local/paths";
import type { OperationReport } from "../../fleet/operation";
import { type Live, neverDue, type Site } from "../api/harness";
import { LAST_APPLIED, omit } from "../../fleet/adoption/shape";
import { FleetBench, over, ownSite, type Ending } from "../fleet/bench";
import { installRelease } from "./helm";
import { answer, type LivePods } from "../fleet/pods";
import { within } from "../waits";

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

  get journalPath(): string {
    return new JournalFile(path.join(this.stacks, ".adoption"), this.site.stack).path;
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
    const fleet: Fleet = {
      ...{ project: checkout, stacks: this.stacks, parallel: 1, output: new Output(false) },
      ...{ interrupted: over, stopEngine: over },
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

  /** Starts the command as a person does, a process with a group of its own; it may be made to end. */
  start(ending: Ending | undefined, ...args: string[]) {
    const fleet = new FleetBench(this.site, this.stacks, {}, this.pods);
    const env = ending ? { FLEET_ENDING: JSON.stringify(ending) } : {};
    return fleet.start({ detached: true, env }, ...args);
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

  /** Each claim's volume: which one it is, and what becomes of it without its claim. */
  async volumes(): Promise<Record<string, { uid: string; policy: string }>> {
    const { items } = JSON.parse(await this.site.kubectl("get", "pv", "-o", "json"));
    return Object.fromEntries(
      (items as Live[]).map(({ metadata, spec }) => [
        spec.claimRef.name,
        { uid: metadata!.uid!, policy: spec.persistentVolumeReclaimPolicy },
      ]),
    );
  }

  /** Resources in the stack's state. */
  async resources(): Promise<Live[]> {
    return JSON.parse(await this.site.state()).deployment.resources ?? [];
  }

  private readonly execute: Execute = (_pod, _container, command, input) => {
    this.commands.push(command);
    return Promise.resolve(answer(this.pods, command, input));
  };
}

/** What the live release has: a certificate that browsers trust. */
const SETTINGS = { "matomo:edge": { issuer: "production" } };

/** The chart's own, on which nothing is ever due. */
export const SCHEDULES = {
  archiveSchedule: neverDue()["matomo:archive"].schedule,
  backupSchedule: neverDue()["matomo:backup"].schedule,
};

export interface ReleaseOptions {
  stack?: string;
  values?: Record<string, unknown>;
  /** Settings of the stack. */
  config?: Record<string, unknown>;
  clientSide?: boolean;
}

/** A site whose cluster runs the release. */
export async function releasedSite(options: ReleaseOptions = {}): Promise<AdoptionBench> {
  const { stack = "liberty", values, config, clientSide } = options;
  const site = await ownSite(stack, { ...SETTINGS, ...config });
  const passwords = livePasswords();
  const { kubeconfig } = site.cluster;
  const release = { passwords, ...SCHEDULES, ...values };
  await installRelease({ kubeconfig, clientSide, values: release });
  await settled(site);
  const file = await site.engine.stackFile(stack, site.config);
  const accepted = { "mariadb-admin": passwords.database, root: passwords.root };
  const pods = { accepted, configured: passwords.database, mariadb: "12.0.2", matomo: "5.5.1" };
  return new AdoptionBench(site, passwords, pods, path.dirname(file));
}

/** Waits until the release's pods are ready: nothing changes by itself any more. */
export async function settled(site: Site): Promise<void> {
  const where = ["-n", "matomo"];
  await rolledOut(site, "deployment/matomo");
  await rolledOut(site, "sts/matomo-mariadb");
  const bound = ["--for=jsonpath={.status.phase}=Bound", within("controllerActs")];
  await site.kubectl("wait", ...bound, "pvc", "--all", ...where);
  const address = ["--for=jsonpath={.status.loadBalancer.ingress}", within("controllerActs")];
  await site.kubectl("wait", ...address, "ingress/matomo", ...where);
}

/** Waits until a workload has all of its pods, and no other. */
export async function rolledOut(site: Site, workload: string): Promise<void> {
  const where = ["-n", "matomo", within("rolloutEnds")];
  await site.kubectl("rollout", "status", workload, ...where);
}

/** Each object with who set what, and without what the API server counts and times. */
export function asReleased(objects: Live[]): Record<string, unknown> {
  const entries = objects
    // The certificate's issuer has given it a Secret meanwhile.
    .filter(({ type }) => type !== "kubernetes.io/tls")
    .map((object) => {
      const { name, labels = {}, annotations = {}, managedFields = [] } = object.metadata!;
      const managers = managedFields
        .filter(({ subresource }) => !subresource)
        .map((entry) => omit(entry, "time"));
      const own = omit(annotations, "deployment.kubernetes.io/revision", LAST_APPLIED);
      const isRecord = object.type === "helm.sh/release.v1";
      const content = omit(object, "metadata", "status");
      const title = `${object.kind}/${name}`;
      return [title, { content, labels, annotations: own, managers: isRecord ? [] : managers }];
    });
  return Object.fromEntries(entries);
}
