/** The state of one stack's site, and everything that is wrong with it. */
import type { V1PersistentVolumeClaim, V1Pod } from "@kubernetes/client-node";
import { DATABASE_USER, NAMES, NAMESPACE } from "../components/labels";
import { type Settings, wantedVersion } from "../components/settings";
import { podVersion } from "../components/versions";
import { clear, refusalOf } from "./adoption/credentials";
import { executor } from "./execute";
import { usedParts } from "./claims";
import { type Cluster, connect } from "./cluster";
import { findDrift } from "./drift";
import { reason } from "./errors";
import type { Fleet } from "./fleet";
import { age } from "./format";
import { readCronJob } from "./jobs";
import { firstLine, type Progress } from "./run";
import { type LastRun, lastRun } from "./runs";
import { type Address, probeSite, type SiteProbe } from "./site-probe";
import { readSettings, type Stack } from "./stacks";
import { isReady } from "./web-pods";

export interface Status {
  /** The site by its domain. */
  site: SiteProbe;
  /** And by each other host name of the settings. */
  aliases: ({ host: string } & SiteProbe)[];
  pods: PodStatus[];
  claims: ClaimStatus[];
  archive: LastRun;
  backup: LastRun;
  versions: Record<"matomo" | "mariadb", { wanted: string; live?: string }>;
  /** What the database says to the Secret's password: empty when it takes it, absent where no pod runs. */
  refusal?: string;
  /** How many objects differ from the last `up`; undefined when it was not looked for. */
  drift?: number;
  /** What is wrong, each with what to do. Empty: all is well. */
  problems: string[];
}

export interface PodStatus {
  name: string;
  component: string;
  ready: boolean;
  restarts: number;
  /** Why it does not run. */
  waiting?: string;
}

export interface ClaimStatus {
  name: string;
  phase: string;
  size: string;
  /** Used part from 0 to 1, where a kubelet measures it. */
  used?: number;
}

export interface StatusOptions {
  drift: boolean;
  address?: Address;
}

const DAY = 24 * 3600 * 1000;
/** cert-manager renews a month before the end: later than this it did not. */
const CERTIFICATE_DAYS = 14;
const FULL = 0.9;

/** Looks at a stack's site. */
export async function statusOf(
  fleet: Fleet,
  stack: Stack,
  options: StatusOptions,
  progress: Progress,
): Promise<Status> {
  const settings = await readSettings(fleet, stack);
  progress("connects");
  // The engine reaches the cluster by itself: side by side, it need not wait for that twice.
  const drifting = options.drift ? countDrift(fleet, stack, progress) : undefined;
  const looking = look(fleet, settings, options, progress);
  const { live, ...seen } = await looking.finally(() => drifting);
  const { drift, driftError } = (await drifting) ?? {};
  fleet.interrupted.throwIfAborted();
  const status = { ...seen, versions: versionsOf(settings, live), drift };
  const problems = judge(status, settings, stack.name, new Date());
  if (driftError) problems.push(`drift cannot be told: ${driftError}`);
  return { ...status, problems };
}

async function look(fleet: Fleet, settings: Settings, options: StatusOptions, progress: Progress) {
  const cluster = await connect(fleet, settings.cluster);
  progress("looks at the site and its objects");
  const site = probeSite(settings.domain, options.address);
  const aliases = settings.aliases.map(async (host) => ({
    host,
    ...(await probeSite(host, options.address)),
  }));
  return { ...(await observe(cluster)), site: await site, aliases: await Promise.all(aliases) };
}

/** How many objects differ, or why it cannot be told. */
async function countDrift(
  fleet: Fleet,
  stack: Stack,
  progress: Progress,
): Promise<{ drift?: number; driftError?: string }> {
  try {
    return { drift: (await findDrift(fleet, stack, progress)).length };
  } catch (error) {
    return { driftError: firstLine(reason(error)) };
  }
}

async function observe(cluster: Cluster) {
  const { core, batch } = cluster;
  const namespace = NAMESPACE;
  const [pods, claims, jobs, archive, backup] = await Promise.all([
    core.listNamespacedPod({ namespace }),
    core.listNamespacedPersistentVolumeClaim({ namespace }),
    batch.listNamespacedJob({ namespace }),
    readCronJob(cluster, NAMES.archive),
    readCronJob(cluster, NAMES.backup),
  ]);
  const now = new Date();
  const used = await usedParts(cluster, pods.items, claims.items);
  return {
    pods: pods.items.filter((pod) => servingComponent(pod)).map(podStatus),
    claims: claims.items.map((claim) => claimStatus(claim, used)),
    archive: lastRun(archive, jobs.items, now),
    backup: lastRun(backup, jobs.items, now),
    refusal: await refusalOfSecret(cluster, pods.items),
    live: pods.items,
  };
}

/** Tries the Secret's password: the running pods have the one that they began with. */
async function refusalOfSecret(
  { core, config }: Cluster,
  pods: V1Pod[],
): Promise<string | undefined> {
  const database = readyPod(pods, "mariadb");
  if (!database) return undefined;
  const named = { namespace: NAMESPACE, fieldSelector: `metadata.name=${NAMES.database}` };
  const [secret] = (await core.listNamespacedSecret(named)).items;
  const place = { pod: database.metadata!.name!, container: database.spec!.containers[0].name };
  const password = clear(secret)?.["mariadb-password"] ?? "";
  try {
    return (await refusalOf(executor(config), place, DATABASE_USER, password)) ?? "";
  } catch {
    return undefined;
  }
}

function readyPod(pods: V1Pod[], component: string): V1Pod | undefined {
  return pods.find((pod) => componentOf(pod) === component && isReady(pod));
}

function componentOf({ metadata }: V1Pod): string {
  return metadata?.labels?.["app.kubernetes.io/component"] ?? "";
}

/** Whether the pod is one that serves, and not a Job's. */
function servingComponent(pod: V1Pod): boolean {
  return ["web", "mariadb"].includes(componentOf(pod)) && !pod.metadata?.deletionTimestamp;
}

function podStatus(pod: V1Pod): PodStatus {
  const states = [
    ...(pod.status?.initContainerStatuses ?? []),
    ...(pod.status?.containerStatuses ?? []),
  ];
  const waiting = states.find(({ state }) => state?.waiting)?.state?.waiting;
  return {
    name: pod.metadata!.name!,
    component: componentOf(pod),
    ready: isReady(pod),
    restarts: states.reduce((sum, { restartCount }) => sum + restartCount, 0),
    ...(waiting && { waiting: [waiting.reason, waiting.message].filter(Boolean).join(": ") }),
  };
}

function claimStatus(
  { metadata, spec, status }: V1PersistentVolumeClaim,
  used: Map<string, number>,
): ClaimStatus {
  const name = metadata!.name!;
  const size = status?.capacity?.storage ?? spec?.resources?.requests?.storage ?? "?";
  return { name, phase: status?.phase ?? "?", size, used: used.get(name) };
}

/** What is wanted, and what the ready pods run. */
function versionsOf(settings: Settings, pods: V1Pod[]): Status["versions"] {
  const live = (component: string) => {
    const pod = readyPod(pods, component);
    return pod && podVersion(pod);
  };
  return {
    matomo: { wanted: wantedVersion(settings, "matomo"), live: live("web") },
    mariadb: { wanted: wantedVersion(settings, "mariadb"), live: live("mariadb") },
  };
}

/** Everything that is wrong, in the order in which it is worth looking at. */
export function judge(
  status: Omit<Status, "problems">,
  settings: Pick<Settings, "domain" | "edge">,
  stack: string,
  now: Date,
): string[] {
  const { site, aliases, pods, claims, versions, refusal, drift } = status;
  const problems: string[] = [];
  const say = (wrong: boolean, text: string) => void (wrong && problems.push(text));
  for (const { host, ...probe } of [{ host: settings.domain, ...site }, ...aliases]) {
    if (probe.error !== undefined) {
      say(true, `${host} does not answer: ${probe.error}`);
      continue;
    }
    say(probe.status !== 200, `${host} answers HTTP ${probe.status}`);
    const days = Math.floor((Date.parse(probe.validTo!) - +now) / DAY);
    const ends = `ends in ${days} days, on ${probe.validTo}`;
    say(days < CERTIFICATE_DAYS, `the certificate of ${host} ${ends}`);
    const production = settings.edge.issuer === "production";
    const by = `which is ${probe.issuer}'s`;
    say(production && !probe.trusted, `no browser believes the certificate of ${host}, ${by}`);
  }
  for (const component of ["mariadb", "web"]) {
    const own = pods.filter((pod) => pod.component === component);
    say(!own.length, `no pod of ${component}`);
    for (const { name, ready, waiting } of own) {
      say(!ready, `pod ${name} is not ready${waiting ? `: ${waiting}` : ""}`);
    }
  }
  say(
    Boolean(refusal),
    `the database refuses the mariadb-password of Secret ${NAMES.database}, which backups and new pods ` +
      `use: ${refusal}`,
  );
  for (const { name, phase, used = 0 } of claims) {
    say(phase !== "Bound", `claim ${name} is ${phase}`);
    say(used >= FULL, `claim ${name} is ${Math.round(used * 100)} % full: grow it`);
  }
  for (const word of ["archive", "backup"] as const) {
    const { success, failed, overdue } = status[word];
    const last = success
      ? `the last good one is ${age(+now - Date.parse(success))} old`
      : "none yet";
    say(Boolean(failed), `${word} ${failed?.job} failed; ${last}`);
    say(!failed && overdue, `the ${word} is overdue; ${last}`);
    const never = word === "backup" && !success && !failed && !overdue;
    say(never, `no proven backup yet: npm run fleet -- backup ${stack}`);
  }
  for (const [program, { wanted, live }] of Object.entries(versions)) {
    say(live !== undefined && live !== wanted, `${program} ${live} runs, ${wanted} is wanted`);
  }
  say(Boolean(drift), `${drift} objects differ: npm run fleet -- drift ${stack}`);
  return problems;
}
