/**
 * What lives in the cluster before a deployment, and whether it may begin.
 *
 * Server-side apply takes over whatever it finds, half of it before the first conflict ends the
 * update (adoption.md). So the program looks first: objects of the contract that somebody else
 * made, a volume that would have to shrink and a version older than the running one end it before
 * anything is touched.
 */
import * as pulumi from "@pulumi/pulumi";
import { parseBytes } from "../policy/core/quantity";
import { Refusal } from "./failure";
import type { Kubeconfig } from "./kubeconfig";
import { type Component, NAMES, NAMESPACE } from "./labels";
import { get, type KubernetesObject, list, METADATA_ONLY } from "./listing";
import { IDENTITY_ANNOTATION, MANAGER_PREFIX } from "./ownership";
import { mebibytes } from "./quantity";
import { type Settings, SettingsError, wantedVersion } from "./settings";
import { persistentVolumeName } from "./storage";
import { compareVersions, podVersion } from "./versions";

interface Claim extends KubernetesObject {
  spec: { volumeName?: string; resources?: { requests?: { storage?: string } } };
}
interface PodTemplate {
  metadata?: { annotations?: Record<string, string> };
  spec: { containers: { image: string }[] };
}
interface Pod extends KubernetesObject {
  spec: PodTemplate["spec"];
  status?: { containerStatuses?: { ready: boolean; started?: boolean }[] };
}
interface Deployment extends KubernetesObject {
  spec: { template: PodTemplate };
  status?: {
    conditions?: { type: string; status: string; reason?: string; lastTransitionTime?: string }[];
  };
}
interface StatefulSet extends KubernetesObject {
  spec: { template: PodTemplate };
  status?: { currentRevision?: string; updateRevision?: string };
}
interface ControllerRevision extends KubernetesObject {
  data: { spec: { template: PodTemplate } };
}

/** The part of the live namespace that decides whether a deployment may begin. */
export interface Live {
  /** What tells the cluster from every other one, whatever it is named: its oldest object's UID. */
  cluster: string;
  /** Objects of the contract that no Pulumi program made, as `Kind/name`. */
  foreign: string[];
  /** State that the namespace belongs to, see ownership.ts. */
  identity?: string;
  /** Requested size by claim name. */
  claims: Record<string, string>;
  /** PersistentVolume by name of the claim that is bound to it. */
  volumes: Record<string, string>;
  /** Version that came up last and so has written the data, by program. */
  deployed: { matomo?: string; mariadb?: string };
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

/** Version of the component's pod that started: one that never came up has upgraded nothing. */
function startedVersion(pods: Pod[], component: Component): string | undefined {
  const started = pods.find(
    ({ metadata, status }) =>
      metadata.labels?.["app.kubernetes.io/component"] === component &&
      status?.containerStatuses?.some(({ ready, started }) => ready || started),
  );
  return started && podVersion(started);
}

function isRolledOut(deployment: Deployment | undefined): deployment is Deployment {
  return Boolean(
    deployment?.status?.conditions?.some(
      ({ type, reason }) => type === "Progressing" && reason === "NewReplicaSetAvailable",
    ),
  );
}

/** The controller has written a new Deployment's first status by then, in milliseconds. */
const FIRST_STATUS_MS = 5000;

/**
 * Whether a Deployment's pod was ever available. The condition is made with the Deployment, and its time
 * changes when it does: it was available meanwhile, whatever it is now.
 */
function wasAvailable({ metadata, status }: Deployment): boolean {
  const available = status?.conditions?.find(({ type }) => type === "Available");
  const time = (text?: string) => Date.parse(text ?? "");
  const sinceMade = time(available?.lastTransitionTime) - time(metadata.creationTimestamp);
  return available?.status === "True" || sinceMade > FIRST_STATUS_MS;
}

/**
 * Template of the database's pod that was ready last: known where the pod is gone, or waits for a node.
 * A StatefulSet's current revision is the first one until another one's pod was ready; that the first
 * one's pod ever was, a web server shows that was available once: it needs the database to begin.
 */
async function readyTemplate(
  kubeconfig: Kubeconfig,
  database: StatefulSet | undefined,
  web: Deployment | undefined,
): Promise<PodTemplate | undefined> {
  const { currentRevision, updateRevision } = database?.status ?? {};
  if (!currentRevision || !web || !wasAvailable(web)) return undefined;
  if (currentRevision === updateRevision) return database!.spec.template;
  const where = `/apis/apps/v1/namespaces/${NAMESPACE}/controllerrevisions/${currentRevision}`;
  return (await get<ControllerRevision>(kubeconfig, where))?.data.spec.template;
}

function newest(...versions: (string | undefined)[]): string | undefined {
  return versions
    .filter((version) => version !== undefined)
    .sort(compareVersions)
    .at(-1);
}

/**
 * Reads the live namespace.
 * @throws Refusal when the cluster cannot be reached or refuses the read
 */
export async function survey(kubeconfig: Kubeconfig): Promise<Live> {
  const apps = `/apis/apps/v1/namespaces/${NAMESPACE}`;
  const [system, namespace, web, database, pods, claims, ...others] = await Promise.all([
    get(kubeconfig, "/api/v1/namespaces/kube-system"),
    get(kubeconfig, `/api/v1/namespaces/${NAMESPACE}`),
    get<Deployment>(kubeconfig, `${apps}/deployments/${NAMES.web}`),
    get<StatefulSet>(kubeconfig, `${apps}/statefulsets/${NAMES.database}`),
    list<Pod>(kubeconfig, "/api/v1/pods"),
    list<Claim>(kubeconfig, "/api/v1/persistentvolumeclaims"),
    ...CONTRACT.map(({ collection }) => list(kubeconfig, collection, METADATA_ONLY)),
  ]);
  if (!system)
    throw new Refusal(`the cluster at ${kubeconfig.server} has no namespace kube-system`);
  const databaseTemplate = await readyTemplate(kubeconfig, database, web);
  return {
    cluster: system.metadata.uid,
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
    deployed: {
      matomo: newest(
        isRolledOut(web) ? podVersion(web.spec.template) : undefined,
        startedVersion(pods, "web"),
      ),
      mariadb: newest(
        databaseTemplate && podVersion(databaseTemplate),
        startedVersion(pods, "mariadb"),
      ),
    },
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
    // Somebody else may have stated it in any unit that Kubernetes takes.
    if (Number(parseBytes(current) ?? 0n) > mebibytes(settings.storage[key]) * 2 ** 20) {
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
    const deployed = live.deployed[program];
    const wanted = wantedVersion(settings, program);
    if (deployed && compareVersions(wanted, deployed) < 0) {
      const key = wanted === settings[program].version ? "version" : "image";
      problems.push(
        `matomo:${program}.${key}: found "${settings[program][key]}"; allowed: ${deployed} or newer, ` +
          `because ${deployed} is deployed and has written the data` +
          (program === "matomo" ? " (the way back: npm run fleet -- rollback STACK)" : ""),
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
