/**
 * What lives in the cluster before a deployment, and whether it may begin.
 *
 * Server-side apply takes over whatever it finds, half of it before the first conflict ends the
 * update (adoption.md). So the program looks first: objects of the contract that somebody else
 * made, a volume that would have to shrink and a version older than the running one end it before
 * anything is touched.
 */
import * as pulumi from "@pulumi/pulumi";
import { Refusal } from "./failure";
import type { Kubeconfig } from "./kubeconfig";
import { type Component, NAMES, NAMESPACE } from "./labels";
import { get, type KubernetesObject, list, METADATA_ONLY } from "./listing";
import { IDENTITY_ANNOTATION, MANAGER_PREFIX } from "./ownership";
import { mebibytes, parseMebibytes } from "./quantity";
import { type Settings, SettingsError } from "./settings";
import { persistentVolumeName } from "./storage";
import { compareVersions, imageVersion } from "./versions";

interface Claim extends KubernetesObject {
  spec: { volumeName?: string; resources?: { requests?: { storage?: string } } };
}
interface Pod extends KubernetesObject {
  spec: { containers: { image: string }[] };
  status?: { conditions?: { type: string; status: string }[] };
}

/** The part of the live namespace that decides whether a deployment may begin. */
export interface Live {
  /** Objects of the contract that no Pulumi program made, as `Kind/name`. */
  foreign: string[];
  /** State that the namespace belongs to, see ownership.ts. */
  identity?: string;
  /** Requested size by claim name. */
  claims: Record<string, string>;
  /** PersistentVolume by name of the claim that is bound to it. */
  volumes: Record<string, string>;
  /** Version of the ready pod, by program. */
  running: { matomo?: string; mariadb?: string };
}

/** Objects that hold data or that a takeover would change, by the collection they are listed in. */
const CONTRACT: { kind: string; collection: string; names: string[] }[] = [
  {
    kind: "PersistentVolumeClaim",
    collection: "/api/v1/persistentvolumeclaims",
    names: [NAMES.dataClaim, NAMES.databaseClaim, NAMES.backupClaim],
  },
  {
    kind: "Secret",
    collection: "/api/v1/secrets",
    names: [NAMES.web, NAMES.database, NAMES.backup],
  },
  { kind: "Deployment", collection: "/apis/apps/v1/deployments", names: [NAMES.web] },
  { kind: "StatefulSet", collection: "/apis/apps/v1/statefulsets", names: [NAMES.database] },
  { kind: "Service", collection: "/api/v1/services", names: [NAMES.web, NAMES.database] },
  { kind: "Ingress", collection: "/apis/networking.k8s.io/v1/ingresses", names: [NAMES.web] },
  { kind: "CronJob", collection: "/apis/batch/v1/cronjobs", names: [NAMES.archive, NAMES.backup] },
];

function isForeign({ metadata }: KubernetesObject): boolean {
  const managers = (metadata.managedFields ?? []).map(({ manager }) => manager ?? "");
  return !managers.some((manager) => manager.startsWith(MANAGER_PREFIX));
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
 * @throws Refusal when the cluster cannot be reached or refuses the read
 */
export async function survey(kubeconfig: Kubeconfig): Promise<Live> {
  const [namespace, pods, claims, ...others] = await Promise.all([
    get(kubeconfig, `/api/v1/namespaces/${NAMESPACE}`),
    list<Pod>(kubeconfig, "/api/v1/pods"),
    list<Claim>(kubeconfig, "/api/v1/persistentvolumeclaims"),
    ...CONTRACT.map(({ collection }) => list(kubeconfig, collection, METADATA_ONLY)),
  ]);
  return {
    identity: namespace?.metadata.annotations?.[IDENTITY_ANNOTATION],
    foreign: CONTRACT.flatMap(({ kind, names }, i) =>
      others[i]
        .filter((object) => names.includes(object.metadata.name) && isForeign(object))
        .map(({ metadata }) => `${kind}/${metadata.name}`),
    ),
    claims: Object.fromEntries(
      claims.map(({ metadata, spec }) => [metadata.name, spec.resources?.requests?.storage ?? ""]),
    ),
    volumes: Object.fromEntries(
      claims.map(({ metadata, spec }) => [metadata.name, spec.volumeName ?? ""]),
    ),
    running: { matomo: runningVersion(pods, "web"), mariadb: runningVersion(pods, "mariadb") },
  };
}

/** The mode in which the live claims got their volumes; undefined before they are bound. */
function liveStorageMode({ volumes }: Live): Settings["storage"]["mode"] | undefined {
  const claims = [NAMES.dataClaim, NAMES.databaseClaim, NAMES.backupClaim];
  const bound = claims.filter((claim) => volumes[claim]);
  if (!bound.length) return undefined;
  return bound.some((claim) => volumes[claim] === persistentVolumeName(claim))
    ? "volumes"
    : "dynamic";
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
  const mode = liveStorageMode(live);
  if (mode && mode !== settings.storage.mode) {
    problems.push(
      `matomo:storage.mode: found "${settings.storage.mode}"; allowed: "${mode}", as the live ` +
        "claims were made: another volume would be an empty one",
    );
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
 * @throws Refusal when the namespace holds objects that no Pulumi program made, SettingsError when
 *   the settings contradict what lives there
 */
export function assertDeployable(settings: Settings, live: Live): void {
  if (live.foreign.length) {
    throw new Refusal(
      `namespace ${NAMESPACE} holds a site that this stack did not make (${live.foreign.join(", ")}); ` +
        `nothing was touched. Take it over with: npm run fleet -- adopt ${pulumi.getStack()}`,
    );
  }
  const problems = conflictsWithLive(settings, live);
  if (problems.length) throw new SettingsError(problems);
}
