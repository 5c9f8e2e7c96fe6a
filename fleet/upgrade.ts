/**
 * The proven backup before a version goes up: what an update of the schema has begun, nothing else
 * takes back.
 */
import { NAMES, NAMESPACE } from "../components/labels";
import { type Live, survey } from "../components/live";
import { type Settings, wantedVersion } from "../components/settings";
import { compareVersions, podVersion } from "../components/versions";
import { backUp } from "./backup-run";
import { type Cluster, connect } from "./cluster";
import { Failure } from "./errors";
import type { Fleet } from "./fleet";
import { findCronJob } from "./jobs";
import type { Progress } from "./run";
import { lastRun } from "./runs";
import { readSettings, type Stack } from "./stacks";
import { findWeb } from "./web-pods";

/** A proven backup is not made again for so long, in milliseconds: an `up` may be run twice. */
const FRESH = 3600_000;

/**
 * Makes a proven backup of a stack of which a version is to go up.
 * @returns what a person has to know of it
 * @throws Failure when it is not proven, UsageError while one runs: nothing was touched then
 */
export async function backUpBeforeUpgrade(
  fleet: Fleet,
  stack: Stack,
  progress: Progress,
): Promise<string[]> {
  const settings = await readSettings(fleet, stack);
  const cluster = await connect(fleet, settings.cluster);
  const rises = risesOf(settings, await liveVersions(cluster)).join(" and ");
  const cronJob = await findCronJob(cluster, NAMES.backup);
  if (!rises || !cronJob) return [];
  const { items } = await cluster.batch.listNamespacedJob({ namespace: NAMESPACE });
  const now = new Date();
  const { success } = lastRun(cronJob, items, now);
  if (success !== undefined && +now - Date.parse(success) < FRESH) {
    progress(`${rises}: the proven backup of ${success} is taken`);
    return [];
  }
  progress(`${rises}: a proven backup first`);
  const run = { word: "upgrade" };
  const { ok, said, job, warning } = await backUp(cluster, run, progress, fleet.interrupted);
  if (ok) return warning === undefined ? [] : [warning];
  throw new Failure(
    `no proven backup before ${rises}, so nothing was touched: ${said}\n` +
      `Log: kubectl -n ${NAMESPACE} logs job/${job} --all-containers. Once npm run fleet -- backup ` +
      `${stack.name} ends well, run the same command again; a site that cannot be backed up goes up ` +
      `without one by: pulumi up --stack ${stack.name}`,
  );
}

/**
 * Versions that came up last. Of a web pod that does not come up, the one that it is to have: an upgrade
 * that was begun goes on without another backup, as half of it is none.
 */
async function liveVersions(cluster: Cluster): Promise<Live["deployed"]> {
  const [{ deployed }, web] = await Promise.all([survey(cluster.kubeconfig), findWeb(cluster)]);
  return { ...deployed, matomo: deployed.matomo ?? podVersion(web?.spec?.template ?? {}) };
}

/** Which versions go up, as `matomo 5.5.1 to 5.6.0`. */
export function risesOf(settings: Settings, versions: Live["deployed"]): string[] {
  return (["matomo", "mariadb"] as const).flatMap((program) => {
    const [live, wanted] = [versions[program], wantedVersion(settings, program)];
    const isRise = live !== undefined && compareVersions(wanted, live) > 0;
    return isRise ? [`${program} ${live} to ${wanted}`] : [];
  });
}
