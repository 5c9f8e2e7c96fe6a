/**
 * Reads a live site and works out how a stack would take it over. Nothing here writes: neither to
 * the cluster nor to the state.
 */
import { randomBytes } from "node:crypto";
import { NAMES, NAMESPACE } from "../../components/labels";
import { survey } from "../../components/live";
import type { Kubeconfig } from "../../components/kubeconfig";
import { FIELD_MANAGER, IDENTITY_ANNOTATION } from "../../components/ownership";
import type { Settings } from "../../components/settings";
import { siteHosts, wantedVersion } from "../../components/settings";
import { compareVersions } from "../../components/versions";
import type { Data, Deployment } from "../engine";
import { Api, reference, title } from "./api";
import { clear, type LiveCredentials, type Place, readCredentials } from "./credentials";
import type { Execute } from "../execute";
import { type Fields, handEditors, isAuthored, type ManagedFields } from "./fields";
import { changesOf, entryOf, normalized, type Plan, type PlanEntry, replacements } from "./plan";
import { evaluate, type Wanted } from "./program";
import type { Finding } from "../repair/judge";
import { readReleases, type Release, RELEASE_ANNOTATION } from "./release";
import { keptEntry, readVolumes } from "./volumes";
import type { Volume } from "./journal";
import { asked } from "./shape";
import type { Adopted } from "./state";

export interface SiteArgs {
  stack: string;
  project: string;
  settings: Settings;
  kubeconfig: Kubeconfig;
  /** What DigitalOcean says of the cluster, where it is theirs. */
  doks?: { id: string; region: string; rawConfig: string };
  /** What is known of the claims' volumes. */
  findings: Finding[];
  execute: Execute;
  /** The stack's state as it is. */
  state: Deployment;
}

/** A live site, and what adopting it means. */
export interface LiveSite {
  plan: Plan;
  resources: Wanted[];
  adopted: Adopted[];
  /** The release that owns the site; undefined when its records are gone. */
  release?: Release;
  /** Objects of the release that the program has no use for, and that hold nothing. */
  leftovers: Data[];
  /** Volumes of the claims that would go with them. */
  volumes: Volume[];
  identity: string;
  passwords: LiveCredentials["passwords"];
}

/** Kinds of which a forgotten one may hold what nobody has elsewhere. */
const KEPT_KINDS =
  /^(PersistentVolume(Claim)?|Secret|StatefulSet|Namespace|CustomResourceDefinition)$/;

/** Reads the site and plans its adoption. */
export async function readSite(args: SiteArgs): Promise<LiveSite> {
  const api = new Api(args.kubeconfig);
  const { kubeconfig, settings } = args;
  const namespace = await api.get({ apiVersion: "v1", kind: "Namespace", name: NAMESPACE });
  const [live, releases] = [await survey(kubeconfig), await readReleases(api)];
  const secrets = await readSecrets(api);
  const [web, database] = [await readyPod(api, "web"), await readyPod(api, "mariadb")];
  const credentials = await readCredentials({ secrets, web, database, execute: args.execute });
  const identity = knownIdentity(args.state) ?? live.identity ?? randomBytes(8).toString("hex");
  const { passwords } = credentials;

  const evaluated = await evaluate({ ...args, passwords, identity, live });
  const { resources } = evaluated;
  const notes = [...credentials.notes];
  const blockers = [...credentials.blockers, ...evaluated.conflicts];
  if (live.identity && live.identity !== identity) {
    blockers.push(
      `the namespace belongs to another state (identity ${live.identity}, this stack's is ` +
        `${identity}): adopt it with the stack that it belongs to, or with an empty one`,
    );
  }
  // One line for a version, though both the pod and the database tell it.
  const older = downgrades(settings, credentials.versions);
  const said = (line: string) =>
    blockers.some((other) => other.split(":")[1] === line.split(":")[1]);
  blockers.push(...older.filter((line) => !said(line)));

  const objects = resources.filter(({ type }) => type.startsWith("kubernetes:"));
  const { adopted, entries } = await compare(api, objects, releases, passwords, args.state);
  blockers.push(...entries.flatMap(({ blockers }) => blockers));
  const named = adopted.map(
    ({ live: { metadata } }) => metadata.annotations?.[RELEASE_ANNOTATION] as string | undefined,
  );
  // A name without records is a release that is gone.
  const owners = releases.filter(({ name }) => named.includes(name));
  blockers.push(...releaseBlockers(owners));
  notes.push(...neighbours(releases.filter((one) => !owners.includes(one))));
  notes.push(...upgrades(settings, credentials.versions));
  blockers.push(...siteBlockers(adopted, settings), ...lostVolumes(adopted, args.findings));
  blockers.push(...(await issuerBlockers(api, adopted, settings)));
  const [release] = owners;
  const { leftovers, entries: remains } = await findLeftovers(api, release, objects);
  const volumes = await readVolumes(api, adopted);

  const plan: Plan = {
    stack: args.stack,
    ...(release && {
      release: {
        ...{ name: release.name, revision: release.revision, chart: release.chart },
        records: release.records.length,
      },
    }),
    entries: [...volumes.map(keptEntry), ...entries.map(({ entry }) => entry), ...remains],
    notes: namespace ? notes : [],
    blockers: adopted.length
      ? blockers
      : [
          `namespace ${NAMESPACE} holds no site: nothing to adopt. Deploy one with: npm run fleet -- up ${args.stack}`,
        ],
  };
  return { plan, resources, adopted, release, leftovers, volumes, identity, passwords };
}

async function readSecrets(api: Api) {
  const names = [NAMES.web, NAMES.database, NAMES.backup, NAMES.offsite];
  const secret = { apiVersion: "v1", kind: "Secret", namespace: NAMESPACE };
  const found = names.map(async (name) => [name, clear(await api.get({ ...secret, name }))]);
  return Object.fromEntries(await Promise.all(found)) as Record<string, Record<string, string>>;
}

/** A ready pod of a component, and its first container. */
async function readyPod(api: Api, component: string): Promise<Place | undefined> {
  const pods = await api.list(
    { apiVersion: "v1", kind: "Pod", namespace: NAMESPACE },
    `app.kubernetes.io/component=${component}`,
  );
  const ready = pods.find(
    ({ metadata, status }) =>
      !metadata.deletionTimestamp &&
      (status.conditions as Data[] | undefined)?.some(
        (condition) => condition.type === "Ready" && condition.status === "True",
      ),
  );
  return ready && { pod: ready.metadata.name, container: ready.spec.containers[0].name };
}

/** The identity that this stack's state holds, from an adoption that was interrupted. */
function knownIdentity({ deployment }: Deployment): string | undefined {
  const identity = deployment.resources?.find(({ type }) => type.endsWith(":RandomId"));
  return identity?.outputs.hex;
}

async function compare(
  api: Api,
  objects: Wanted[],
  releases: Release[],
  passwords: LiveCredentials["passwords"],
  state: Deployment,
) {
  const known = new Map((state.deployment.resources ?? []).map((one) => [one.urn as string, one]));
  const values = Object.values(passwords).filter((value) => value !== undefined);
  const adopted: Adopted[] = [];
  const entries: { entry: PlanEntry; blockers: string[] }[] = [];
  for (const wanted of objects) {
    const where = reference(wanted.inputs);
    const live = await api.get(where);
    if (!live) {
      const entry = { object: title(where), changes: [], bookkeeping: 0, notes: [] };
      entries.push({ entry: { ...entry, action: "create" }, blockers: [] });
      continue;
    }
    const own = { wanted, live, asked: askedOf(live, wanted, releases, known.get(wanted.urn)) };
    const changes = changesOf(own.asked, wanted);
    const editors = handEditors(live.metadata.managedFields ?? []);
    const notes = editors.length
      ? [`edited by hand (${editors.join(", ")}): the program's fields replace that`]
      : [];
    const replaced = replacements(where.kind, changes);
    adopted.push(own);
    entries.push({
      entry: entryOf(where, changes, notes, values),
      blockers: replaced.map(
        (path) =>
          `${title(where)}: ${path} cannot change in place, and a replacement would lose what it ` +
          "holds. Set it in the cluster as the program has it, or leave this site to Helm",
      ),
    });
  }
  return { adopted, entries };
}

/**
 * What somebody asked of an object: Helm's manifest, people's edits, what the state has of it after
 * an adoption that was interrupted, and what the program states.
 */
function askedOf(live: Data, wanted: Wanted, releases: Release[], known: Data | undefined): Data {
  const managed = (live.metadata.managedFields ?? []) as ManagedFields[];
  const authored = managed
    .filter((entry) => isAuthored(entry) && !isRecorded(entry, known !== undefined))
    .map(({ fieldsV1 }) => fieldsV1 as Fields);
  const manifests = releases.map(({ manifest }) => manifest.get(title(reference(wanted.inputs))));
  const books = { metadata: { annotations: helmAnnotations(live) } };
  const { metadata, ...kept } = asked(live, authored, [
    ...[normalized(wanted.inputs), books, known?.inputs as Data | undefined],
    ...manifests.map((manifest) => manifest && withoutNamespace(manifest)),
  ]);
  // Helm applies a namespace's `spec: {}`, which is Kubernetes' own to fill.
  if (live.kind === "Namespace") delete kept.spec;
  return { ...kept, metadata };
}

/** Whether what an entry's author asked for is told elsewhere, without the defaults that it may own. */
function isRecorded({ manager = "", operation }: ManagedFields, isKnown: boolean): boolean {
  if (manager.startsWith(FIELD_MANAGER)) return isKnown;
  return manager === "helm" && operation === "Update";
}

function helmAnnotations({ metadata }: Data): Data {
  const all = Object.entries((metadata.annotations as Data | undefined) ?? {});
  return Object.fromEntries(all.filter(([key]) => key.startsWith("meta.helm.sh/")));
}

function withoutNamespace({ metadata, ...rest }: Data): Data {
  const { name, labels, annotations } = metadata as Data;
  return {
    ...rest,
    metadata: { name, ...(labels && { labels }), ...(annotations && { annotations }) },
  };
}

/** Programs whose wanted version is older (-1) or newer (1) than what the database was written by. */
function steps(settings: Settings, versions: LiveCredentials["versions"], direction: -1 | 1) {
  return (["matomo", "mariadb"] as const).flatMap((program) => {
    const [live, wanted] = [versions[program], wantedVersion(settings, program)];
    const isOne = live !== undefined && Math.sign(compareVersions(wanted, live)) === direction;
    return isOne ? [{ program, live, wanted }] : [];
  });
}

/** What the database was written by, which an image's tag may not tell. */
function downgrades(settings: Settings, versions: LiveCredentials["versions"]): string[] {
  return steps(settings, versions, -1).map(
    ({ program, live, wanted }) =>
      `matomo:${program}.version: found "${wanted}"; the database was written by ${live}, and nothing ` +
      `goes back. Set it: pulumi config set --path matomo:${program}.version ${live}`,
  );
}

/** An upgrade is no fault, and it is the end of the way back. */
function upgrades(settings: Settings, versions: LiveCredentials["versions"]): string[] {
  return steps(settings, versions, 1).map(
    ({ program, live, wanted }) =>
      `${program} is upgraded from ${live} to ${wanted}, and --undo cannot go back from that. To keep ` +
      `the way back, adopt with: pulumi config set --path matomo:${program}.version ${live}`,
  );
}

/** Releases that have nothing of the site and live beside it. */
function neighbours(releases: Release[]): string[] {
  return releases.map(
    ({ name, chart }) =>
      `release ${name} (${chart}) is in namespace ${NAMESPACE} too: its pods come under the site's ` +
      "network policies and Pod Security restricted. Move it first, if it is still needed",
  );
}

function releaseBlockers(owners: Release[]): string[] {
  if (owners.length > 1) {
    const names = owners.map(({ name }) => name);
    return [
      `objects of the site belong to ${names.length} releases (${names.join(", ")}): decide which one ` +
        "made the site, and delete the records of the other; never helm uninstall, which deletes " +
        `claims. kubectl -n ${NAMESPACE} delete secret -l owner=helm,name=NAME`,
    ];
  }
  return owners
    .filter(({ status }) => status.startsWith("pending-") || status === "uninstalling")
    .map(
      ({ name, revision, status }) =>
        `release ${name} is ${status} (revision ${revision}): Helm is at work, or was killed. Wait, or ` +
        `end it with: helm rollback ${name} -n ${NAMESPACE}`,
    );
}

function siteBlockers(adopted: Adopted[], settings: Settings): string[] {
  const blockers: string[] = [];
  const claims = adopted.filter(({ live }) => live.kind === "PersistentVolumeClaim");
  for (const { live } of claims) {
    const { name } = live.metadata;
    const phase: string = live.status?.phase ?? "unknown";
    if (phase === "Bound") continue;
    const way =
      name === NAMES.backupClaim
        ? "its backups cannot be reached. When none is wanted: kubectl -n matomo delete pvc " + name
        : `look why: kubectl -n ${NAMESPACE} describe pvc ${name}`;
    blockers.push(`claim ${name} is ${phase}, not Bound: ${way}`);
  }
  const names = claims.map(({ live }) => live.metadata.name as string);
  for (const name of [NAMES.dataClaim, NAMES.databaseClaim]) {
    if (!adopted.length || names.includes(name)) continue;
    blockers.push(
      `claim ${name} is not there: the site would start empty. Bring its data back first, or delete ` +
        "what is left of the release and deploy a new site",
    );
  }
  const web = adopted.find(
    ({ live }) => live.kind === "Deployment" && live.metadata.name === NAMES.web,
  );
  if (web?.live.spec.replicas === 0) {
    blockers.push(
      `Deployment ${NAMES.web} is scaled to 0: without its pod nobody can read the site's state for the ` +
        `proven backup. Bring it up first: kubectl -n ${NAMESPACE} scale deployment/${NAMES.web} --replicas=1`,
    );
  }
  const ingress = adopted.find(({ live }) => live.kind === "Ingress");
  const rules = (ingress?.live.spec.rules ?? []) as Data[];
  const hosts = siteHosts(settings);
  const lost = rules
    .map(({ host }) => host as string)
    .filter((host) => host && !hosts.includes(host));
  for (const host of lost) {
    const index = settings.aliases.length + lost.indexOf(host);
    blockers.push(
      `the site also answers as ${host}, which the settings do not know: visits to it would be lost. ` +
        `Add it: pulumi config set --path 'matomo:aliases[${index}]' ${host}`,
    );
  }
  const secret = adopted.find(
    ({ wanted }) => wanted.type.endsWith(":Secret") && wanted.name === "site",
  );
  const username = clear(secret?.live)?.["matomo-username"];
  if (username && username !== settings.username) {
    blockers.push(
      `the administrator is called ${username}, in the settings ${settings.username}. ` +
        `Set it: pulumi config set matomo:username ${username}`,
    );
  }
  return blockers;
}

/** A claim may be Bound to a volume that the driver no longer has (incident 7): no pod gets it again. */
function lostVolumes(adopted: Adopted[], findings: Finding[]): string[] {
  const isBound = (claim: string) =>
    adopted.some(
      ({ live: { kind, metadata, status } }) =>
        kind === "PersistentVolumeClaim" && metadata.name === claim && status?.phase === "Bound",
    );
  const way = (claim: string) =>
    claim === NAMES.backupClaim
      ? "Its backups are gone, and adopt makes a new claim and a proven backup. Delete this one, and the " +
        `Jobs whose pods wait for it: kubectl -n ${NAMESPACE} delete pvc ${claim}`
      : "Bring its data back first: adopting it would be adopting an empty site";
  return findings
    .filter(({ claim, verdict }) => verdict === "lost" && isBound(claim))
    .map(
      ({ claim, evidence }) =>
        `claim ${claim} has lost its volume (${evidence.join("; ")}). ${way(claim)}`,
    );
}

/** A valid certificate must not be followed by one of Let's Encrypt's staging. */
async function issuerBlockers(api: Api, adopted: Adopted[], settings: Settings): Promise<string[]> {
  const annotations = adopted.find(({ live }) => live.kind === "Ingress")?.live.metadata
    .annotations;
  const [cluster, own] = ["cluster-issuer", "issuer"].map(
    (key) => (annotations as Data | undefined)?.[`cert-manager.io/${key}`] as string | undefined,
  );
  const name = cluster ?? own;
  if (!name || settings.edge.issuer === "production") return [];
  const kind = cluster ? { kind: "ClusterIssuer" } : { kind: "Issuer", namespace: NAMESPACE };
  const issuer = await api.get({ apiVersion: "cert-manager.io/v1", name, ...kind });
  const server = (issuer?.spec.acme?.server as string | undefined) ?? name;
  if (/staging/.test(server)) return [];
  return [
    `the certificate comes from ${name}, and matomo:edge.issuer is "staging", whose certificates no ` +
      "browser trusts. Set it: pulumi config set --path matomo:edge.issuer production",
  ];
}

/** Objects that Helm applied and the program does not have. */
async function findLeftovers(api: Api, release: Release | undefined, objects: Wanted[]) {
  const wanted = new Set(objects.map(({ inputs }) => title(reference(inputs))));
  const leftovers: Data[] = [];
  const entries: PlanEntry[] = [];
  for (const [object, manifest] of release?.manifest ?? []) {
    if (wanted.has(object)) continue;
    const namespace = manifest.metadata.namespace ?? NAMESPACE;
    const live = await api.get({ ...reference(manifest), namespace });
    if (live?.metadata.annotations?.[RELEASE_ANNOTATION] !== release?.name) continue;
    const stays = KEPT_KINDS.test(manifest.kind) || namespace !== NAMESPACE;
    if (!stays) leftovers.push(live!);
    const notes = stays ? ["delete it yourself when you know what it holds"] : [];
    const action = stays ? "leave" : "delete";
    entries.push({ object, action, changes: [], bookkeeping: 0, notes });
  }
  return { leftovers, entries };
}

/** Whether nothing of a site is left to hand over: all is the program's, and Helm knows none of it. */
export function isAdopted({ adopted, release, plan }: LiveSite, state: Deployment): boolean {
  const known = new Set((state.deployment.resources ?? []).map(({ urn }) => urn as string));
  return (
    !release &&
    plan.entries.every(({ action }) => action !== "delete") &&
    adopted.every(
      ({ wanted, live }) =>
        known.has(wanted.urn) &&
        ((live.metadata.managedFields ?? []) as ManagedFields[]).some(({ manager }) =>
          manager?.startsWith(FIELD_MANAGER),
        ) &&
        (live.kind !== "Namespace" || live.metadata.annotations?.[IDENTITY_ANNOTATION]),
    )
  );
}
