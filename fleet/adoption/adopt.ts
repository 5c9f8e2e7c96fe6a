/**
 * Takes a live site over, step by step. Each step looks before it acts: interrupted anywhere and run
 * again, adoption goes on where it was.
 *
 * The order is what keeps the site safe. Its volumes come first: from then on none goes with its claim,
 * whatever else should fail. Then the state, in one write: from then on the passwords are known. The
 * namespace's identity is next: no other state can touch the site any more. Then the proven backup, and
 * the objects are handed over one by one; as long as one is missing, an `up` refuses and names this
 * command, so that none changes a pod before there is a backup. Then a preview in which nothing may be
 * replaced, and only then `up`. Helm's records go last.
 */
import { NAMES, NAMESPACE } from "../../components/labels";
import { IDENTITY_ANNOTATION } from "../../components/ownership";
import { ROLLOUT_SECONDS } from "../../components/pods";
import {
  AppsV1Api,
  type KubeConfig,
  type V1Deployment,
  type V1StatefulSet,
} from "@kubernetes/client-node";
import { Refusal } from "../../components/failure";
import type { Data, Deployment, Engine } from "../engine";
import { Failure } from "../errors";
import type { JournalFile } from "../journal";
import { notKept, type OperationReport } from "../operation";
import { awaitObjects } from "../watch";
import { Api, reference, title } from "./api";
import { provenBackup } from "./backup";
import { handOver, type ManagedFields } from "./fields";
import type { Journal } from "./journal";
import { LAST_APPLIED, omit } from "./shape";
import { isAdopted, type LiveSite, readSite, type SiteArgs } from "./site";
import { type Adopted, adoptInto, managerOf } from "./state";
import { keepVolumes } from "./volumes";

export interface AdoptArgs extends Omit<SiteArgs, "state"> {
  config: KubeConfig;
  engine: Engine;
  journal: JournalFile<Journal>;
  /** Versions of the program's SDKs, which the state names. */
  versions: { random: string; kubernetes: string };
  /** Called before each step; what it throws ends the adoption there. */
  step: (what: string) => void;
  signal: AbortSignal;
}

/** A backup is fresh for this long, in milliseconds. */
const FRESH_MS = 60 * 60_000;

/**
 * What adoption would do: reads the cluster and the state, and writes to neither.
 * @throws Refusal when the site is adopted already
 */
export async function rehearse(args: Omit<AdoptArgs, "step">): Promise<LiveSite> {
  const state = await args.engine.exportState();
  const site = await readSite({ ...args, state });
  if (!site.plan.blockers.length && isAdopted(site, state) && !(await unfinished(args.journal))) {
    throw new Refusal(
      `stack ${args.stack} has this site already, and no Helm release owns any of it: nothing to adopt`,
    );
  }
  return site;
}

async function unfinished(journal: JournalFile<Journal>): Promise<boolean> {
  const found = await journal.read();
  return found !== undefined && found.finished === undefined;
}

/**
 * Adopts the site that `rehearse` has shown.
 * @throws Failure when it cannot be done whole; what was done stays, and the next run goes on
 */
export async function adopt(args: AdoptArgs, site: LiveSite): Promise<Journal> {
  const { engine, step, stack } = args;
  const api = new Api(args.kubeconfig);
  if (site.plan.blockers.length) {
    throw new Refusal(
      `the site cannot be adopted as it is, and nothing was touched:\n` +
        site.plan.blockers.map((blocker) => `  - ${blocker}`).join("\n"),
    );
  }
  const state = await engine.exportState();
  const journal = await save(args, site, state);

  await keepVolumes({ api, step }, journal.volumes);
  await importState(args, site, state);
  await claimNamespace(args, api, site);
  if (!journal.backup || Date.parse(journal.backup) < Date.now() - FRESH_MS) {
    await makeBackupClaim(args, api, site);
    step("proven backup");
    const password = site.passwords["database-password"]!;
    const { config, signal } = args;
    await provenBackup({ api, config, resources: site.resources, password, signal });
    journal.backup = new Date().toISOString();
    await args.journal.write(journal);
  }
  for (const one of site.adopted) {
    await handOverObject(args, api, one);
  }
  step("preview");
  assertKept(await engine.preview());
  step(`up of stack ${stack}`);
  await engine.up();
  step("waiting for the new pods");
  await rolledOut(args);
  step("comparing every object with what it was");
  await assertSame(api, journal);
  for (const leftover of journal.leftovers) {
    step(`deleting ${title(reference(leftover))}`);
    await api.delete(reference(leftover));
  }
  for (const record of journal.records) {
    step(`removing Helm's record ${record.metadata.name}`);
    await api.delete(reference(record));
  }
  journal.finished = new Date().toISOString();
  await args.journal.write(journal);
  return journal;
}

/** Saves what is there, once for each adoption. */
async function save(args: AdoptArgs, site: LiveSite, state: Deployment): Promise<Journal> {
  const file = args.journal;
  const existing = await file.read();
  if (existing && !existing.finished) {
    args.step(`going on with the adoption that began at ${existing.started}: ${file.path}`);
    return existing;
  }
  if (existing) await file.archive(existing);
  args.step(`saving the state and the objects as they are: ${file.path}`);
  const missing = site.plan.entries.filter(({ action }) => action === "create");
  const added = site.resources
    .map(({ inputs }) => inputs)
    .filter(
      ({ kind, metadata }) =>
        // An undo deletes what was added, and never a claim: the backup is on one.
        kind &&
        kind !== "PersistentVolumeClaim" &&
        missing.some(({ object }) => object === title({ kind, name: metadata.name })),
    );
  const objects = site.adopted.map(({ live }) => live);
  const journal: Journal = {
    format: 1,
    stack: args.stack,
    started: new Date().toISOString(),
    identity: site.identity,
    state,
    volumes: site.volumes,
    objects: objects.map(withoutValues),
    secretKeys: Object.fromEntries(
      objects
        .filter(({ kind }) => kind === "Secret")
        .map(({ metadata, data }) => [metadata.name, Object.keys((data as Data) ?? {})]),
    ),
    added: added.map(({ apiVersion, kind, metadata: { name, namespace } }) => ({
      ...{ apiVersion, kind, metadata: { name, namespace } },
    })),
    leftovers: site.leftovers.map(withoutValues),
    records: site.release?.records ?? [],
  };
  await file.write(journal);
  return journal;
}

function withoutValues(object: Data): Data {
  if (object.kind !== "Secret") return object;
  const { metadata, ...rest } = omit(object, "data", "stringData");
  const { annotations, ...kept } = metadata as Data;
  const own = annotations && { annotations: omit(annotations as Data, LAST_APPLIED) };
  return { ...rest, metadata: { ...kept, ...own } };
}

async function importState(args: AdoptArgs, site: LiveSite, state: Deployment): Promise<void> {
  const { random: randomVersion, kubernetes: kubernetesVersion } = args.versions;
  const { resources, adopted, passwords, identity } = site;
  const wanted = { resources, adopted, passwords, identity, randomVersion, kubernetesVersion };
  const next = adoptInto(state, wanted);
  if (next.deployment.resources!.length === (state.deployment.resources ?? []).length) return;
  args.step(`writing ${adopted.length} objects and the live passwords into the state`);
  await args.engine.importState(next);
}

/** Marks the namespace as this state's: from here on no other one may touch what is in it. */
async function claimNamespace(args: AdoptArgs, api: Api, { identity }: LiveSite): Promise<void> {
  const where = { apiVersion: "v1", kind: "Namespace", name: NAMESPACE };
  const live = (await api.get(where))!;
  const annotations = live.metadata.annotations as Data | undefined;
  if (annotations?.[IDENTITY_ANNOTATION] === identity) return;
  args.step(`marking namespace ${NAMESPACE} as stack ${args.stack}'s`);
  const { resourceVersion } = live.metadata;
  await api.patch(where, {
    metadata: { resourceVersion, annotations: { [IDENTITY_ANNOTATION]: identity } },
  });
}

/** A release without backups has no claim for them; `up` finds this one as its own. */
async function makeBackupClaim(args: AdoptArgs, api: Api, { resources }: LiveSite): Promise<void> {
  const { inputs } = resources.find(
    ({ inputs }) =>
      inputs.kind === "PersistentVolumeClaim" && inputs.metadata.name === NAMES.backupClaim,
  )!;
  if (await api.get(reference(inputs))) return;
  args.step(`making claim ${NAMES.backupClaim} for the backup`);
  await api.apply(inputs, managerOf(inputs));
}

/** Hands what Helm and people own of an object to the program's field manager. */
async function handOverObject(
  args: AdoptArgs,
  api: Api,
  { wanted, asked }: Adopted,
): Promise<void> {
  const where = reference(wanted.inputs);
  const options = {
    ...{ apiVersion: where.apiVersion, wanted: wanted.inputs, asked },
    manager: managerOf(wanted.inputs),
  };
  let said = false;
  await api.revise(where, ({ metadata }) => {
    const before = (metadata.managedFields ?? []) as ManagedFields[];
    const managedFields = handOver(before, options);
    if (isHandedOver(before, managedFields)) return undefined;
    if (!said) args.step(`handing over ${title(where)}`);
    said = true;
    return { patch: { metadata: { managedFields } } };
  });
}

function isHandedOver(before: ManagedFields[], after: ManagedFields[]): boolean {
  const names = (entries: ManagedFields[]) =>
    entries
      .map(({ manager, operation, subresource }) => [manager, operation, subresource].join())
      .sort()
      .join(";");
  return names(before) === names(after);
}

/** Nothing that the site has may be made anew. */
function assertKept(report: OperationReport): void {
  const list = notKept(report);
  if (!list) return;
  throw new Failure(
    `the preview would not keep everything (${list}); no pod was changed. ` +
      "Go back with --undo, and report this plan",
  );
}

/**
 * Waits until the new pods serve. The engine may be back earlier: under Recreate there is no new
 * revision as long as the old pod takes to end, and it takes the old one for the new.
 */
async function rolledOut({ config, signal }: AdoptArgs): Promise<void> {
  const apps = config.makeApiClient(AppsV1Api);
  const namespace = NAMESPACE;
  const workloads = [
    [NAMES.database, "statefulsets", () => apps.listNamespacedStatefulSet({ namespace })],
    [NAMES.web, "deployments", () => apps.listNamespacedDeployment({ namespace })],
  ] as const;
  for (const [name, plural, list] of workloads) {
    const what =
      `all pods of ${plural}/${name} anew; Helm's records are kept. Look why: ` +
      `kubectl -n ${NAMESPACE} get pods; then adopt again, or go back with --undo`;
    await awaitObjects<V1Deployment | V1StatefulSet, true>(
      { config },
      { path: `/apis/apps/v1/namespaces/${NAMESPACE}/${plural}`, list },
      (all) => all.some((one) => one.metadata!.name === name && isRolledOut(one)) || undefined,
      { what, seconds: ROLLOUT_SECONDS, signal },
    );
  }
}

/** Whether all pods of a workload are of its newest form, and serve; the old ones are gone. */
function isRolledOut({ metadata, spec, status }: V1Deployment | V1StatefulSet): boolean {
  const wanted = spec!.replicas;
  return (
    status!.observedGeneration! >= metadata!.generation! &&
    status!.replicas === wanted &&
    status!.updatedReplicas === wanted &&
    status!.availableReplicas === wanted
  );
}

/** Every object is still the one that it was. */
async function assertSame(api: Api, journal: Journal): Promise<void> {
  for (const before of journal.objects) {
    const where = reference(before);
    const live = await api.get(where);
    if (live?.metadata.uid !== before.metadata.uid) {
      throw new Failure(
        `${title(where)} is not the object that it was before; Helm's records are kept. ` +
          "See what made it anew before you go on",
      );
    }
  }
}
