/**
 * What lives in the cluster before a deployment, and whether it may begin.
 *
 * Server-side apply takes over whatever it finds, half of it before the first conflict ends the
 * update (adoption.md). So the program looks first: objects of the contract that somebody else
 * made, a volume that would have to shrink and a version older than the running one end it before
 * anything is touched.
 */
import * as http from "node:http";
import * as https from "node:https";
import * as path from "node:path";
import type { KubeConfig } from "@kubernetes/client-node/dist/config.js";
import { type Component, NAMES, NAMESPACE } from "./labels";
import { mebibytes, parseMebibytes } from "./quantity";
import { type Settings, SettingsError } from "./settings";
import { compareVersions, imageVersion } from "./versions";

/** Managers that the Kubernetes provider applies with begin like this. */
const OUR_MANAGER = "pulumi-kubernetes";
/** An unreachable cluster is an error within this time, in milliseconds. */
const TIMEOUT_MS = 15_000;

interface KubernetesObject {
  metadata: {
    name: string;
    labels?: Record<string, string>;
    managedFields?: { manager?: string }[];
  };
}
interface Claim extends KubernetesObject {
  spec: { resources?: { requests?: { storage?: string } } };
}
interface Pod extends KubernetesObject {
  spec: { containers: { image: string }[] };
  status?: { conditions?: { type: string; status: string }[] };
}

/** The part of the live namespace that decides whether a deployment may begin. */
export interface Live {
  /** Objects of the contract that no Pulumi program made, as `Kind/name`. */
  foreign: string[];
  /** Requested size by claim name. */
  claims: Record<string, string>;
  /** Version of the ready pod, by program. */
  running: { matomo?: string; mariadb?: string };
}

/** The list without specs and data: no Secret's value is read only to learn its name. */
const METADATA_ONLY = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io";

/** Lists objects of the namespace; an absent namespace or kind is an empty list. */
async function list<T extends KubernetesObject>(
  kubeConfig: KubeConfig,
  collection: string,
  accept = "application/json",
): Promise<T[]> {
  const [base, plural] = [path.dirname(collection), path.basename(collection)];
  const server = kubeConfig.getCurrentCluster()!.server;
  const url = new URL(`${base}/namespaces/${NAMESPACE}/${plural}`, server);
  const options: https.RequestOptions = { timeout: TIMEOUT_MS };
  await kubeConfig.applyToHTTPSOptions(options);
  options.headers = { ...options.headers, accept };
  const { status, body } = await read(url, options);
  if (status === 404) return [];
  if (status !== 200) {
    throw new Error(`the cluster at ${url.origin} answered ${status} to a read of ${url.pathname}`);
  }
  // An empty list of metadata has `items: null`.
  return (JSON.parse(body) as { items: T[] | null }).items ?? [];
}

function read(url: URL, options: https.RequestOptions): Promise<{ status?: number; body: string }> {
  const client = url.protocol === "https:" ? https : http;
  return new Promise((resolve, reject) => {
    const request = client.get(url, options, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () => {
        resolve({ status: response.statusCode, body: Buffer.concat(chunks).toString() });
      });
    });
    request.on("timeout", () => request.destroy(new Error(`no answer in ${TIMEOUT_MS / 1000} s`)));
    request.on("error", ({ message }) => {
      reject(new Error(`the cluster at ${url.origin} cannot be reached: ${message}`));
    });
  });
}

/** Objects that hold data or that a takeover would change, by the collection they are listed in. */
const CONTRACT: { kind: string; collection: string; names: string[] }[] = [
  { kind: "Deployment", collection: "/apis/apps/v1/deployments", names: [NAMES.web] },
  { kind: "StatefulSet", collection: "/apis/apps/v1/statefulsets", names: [NAMES.database] },
  { kind: "Service", collection: "/api/v1/services", names: [NAMES.web, NAMES.database] },
  { kind: "Ingress", collection: "/apis/networking.k8s.io/v1/ingresses", names: [NAMES.web] },
  { kind: "CronJob", collection: "/apis/batch/v1/cronjobs", names: [NAMES.archive, NAMES.backup] },
];

function isForeign({ metadata }: KubernetesObject): boolean {
  const managers = (metadata.managedFields ?? []).map(({ manager }) => manager ?? "");
  return !managers.some((manager) => manager.startsWith(OUR_MANAGER));
}

function foreignAmong(kind: string, objects: KubernetesObject[], names: string[]): string[] {
  return objects
    .filter((object) => names.includes(object.metadata.name) && isForeign(object))
    .map(({ metadata }) => `${kind}/${metadata.name}`);
}

/** Version of the component's pod that is ready: a pod that never came up has upgraded nothing. */
function runningVersion(pods: Pod[], component: Component): string | undefined {
  const ready = pods.find(
    ({ metadata, status }) =>
      metadata.labels?.["app.kubernetes.io/component"] === component &&
      status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True"),
  );
  return ready && imageVersion(ready.spec.containers[0].image);
}

/**
 * Reads the live namespace.
 * @throws Error when the cluster cannot be reached or refuses the read
 */
export async function survey(kubeConfig: KubeConfig): Promise<Live> {
  const [pods, claims, secrets, ...others] = await Promise.all([
    list<Pod>(kubeConfig, "/api/v1/pods"),
    list<Claim>(kubeConfig, "/api/v1/persistentvolumeclaims"),
    list(kubeConfig, "/api/v1/secrets", METADATA_ONLY),
    ...CONTRACT.map(({ collection }) => list(kubeConfig, collection, METADATA_ONLY)),
  ]);
  const claimNames = [NAMES.dataClaim, NAMES.databaseClaim, NAMES.backupClaim];
  return {
    foreign: [
      ...CONTRACT.flatMap(({ kind, names }, i) => foreignAmong(kind, others[i], names)),
      ...foreignAmong("Secret", secrets, [NAMES.web, NAMES.database]),
      ...foreignAmong("PersistentVolumeClaim", claims, claimNames),
    ],
    claims: Object.fromEntries(
      claims.map(({ metadata, spec }) => [metadata.name, spec.resources?.requests?.storage ?? ""]),
    ),
    running: { matomo: runningVersion(pods, "web"), mariadb: runningVersion(pods, "mariadb") },
  };
}

/**
 * Faults of the settings that only the live cluster shows: a claim never shrinks, and neither
 * Matomo nor MariaDB goes back to an older version.
 */
export function conflictsWithLive(settings: Settings, live: Live): string[] {
  const problems: string[] = [];
  const claims = {
    data: NAMES.dataClaim,
    database: NAMES.databaseClaim,
    backup: NAMES.backupClaim,
  } as const;
  for (const key of ["data", "database", "backup"] as const) {
    const current = live.claims[claims[key]] ?? "";
    if ((parseMebibytes(current) ?? 0) > mebibytes(settings.storage[key])) {
      problems.push(
        `matomo:storage.${key}: found "${settings.storage[key]}"; allowed: ${current} or more, ` +
          `the size of the live claim ${claims[key]}, because a volume never shrinks`,
      );
    }
  }
  for (const program of ["matomo", "mariadb"] as const) {
    const running = live.running[program];
    const wanted = settings[program].version;
    if (running && compareVersions(wanted, running) < 0) {
      problems.push(
        `matomo:${program}.version: found "${wanted}"; allowed: ${running} or newer, because ` +
          `${running} is running and has written the data`,
      );
    }
  }
  return problems;
}

/**
 * Ends the program before anything is touched when the live cluster does not allow the deployment.
 * @throws Error when the namespace holds objects that no Pulumi program made, SettingsError when
 *   the settings contradict what lives there
 */
export function assertDeployable(settings: Settings, live: Live): void {
  if (live.foreign.length) {
    throw new Error(
      `namespace ${NAMESPACE} holds a site that this stack did not make (${live.foreign.join(", ")}); ` +
        "nothing was touched. Take it over with: npm run fleet -- adopt STACK",
    );
  }
  const problems = conflictsWithLive(settings, live);
  if (problems.length) throw new SettingsError(problems);
}
