/**
 * Takes a live site over, step by step. Each step looks before it acts: interrupted anywhere and run
 * again, adoption goes on where it was.
 *
 * The order is what keeps the site safe. The state comes first, in one write: from then on the
 * passwords are known. The namespace's identity is next: no other state can touch the site any more.
 * Then the objects are handed over one by one; as long as one is missing, an `up` refuses and names
 * this command. Nothing of that changes a pod. Then a preview in which nothing may be replaced, the
 * proven backup, and only then `up`. Helm's records go last.
 */
import { NAMES, NAMESPACE } from "../../components/labels";
import { IDENTITY_ANNOTATION } from "../../components/ownership";
import { ROLLOUT_SECONDS } from "../../components/pods";
import type { KubeConfig } from "@kubernetes/client-node";
import { Refusal } from "../../components/failure";
import { Failure } from "../errors";
import type { OperationReport } from "../operation";
import { Api, reference, title } from "./api";
import { provenBackup } from "./backup";
import { handOver, type ManagedFields } from "./fields";
import type { Journal, JournalFile } from "./journal";
import type { Data } from "./program";
import { omit } from "./shape";
import { isAdopted, type LiveSite, readSite, type SiteArgs } from "./site";
import { type Adopted, adoptInto, type Deployment, managerOf } from "./state";

/** The stack in the engine. */
export interface Engine {
  exportState(): Promise<Deployment>;
  /** Writes the state in one piece; values in it are encrypted on the way. */
  importState(state: Deployment): Promise<void>;
  preview(): Promise<OperationReport>;
  up(): Promise<OperationReport>;
}

export interface AdoptArgs extends Omit<SiteArgs, "state"> {
  config: KubeConfig;
  engine: Engine;
  journal: JournalFile;
  /** Versions of the program's SDKs, which the state names. */
  versions: { random: string; kubernetes: string };
  /** Called before each step; what it throws ends the adoption there. */
  step: (what: string) => void;
  signal?: AbortSignal;
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

async function unfinished(journal: JournalFile): Promise<boolean> {
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

  await importState(args, site, state);
  await claimNamespace(args, api, site);
  for (const one of site.adopted) {
    await handOverObject(args, api, one);
  }
  step("preview");
  assertKept(await engine.preview());
  if (!journal.backup || Date.parse(journal.backup) < Date.now() - FRESH_MS) {
    step("proven backup");
    const password = site.passwords["database-password"]!;
    const { config, signal } = args;
    await provenBackup({ api, config, resources: site.resources, password, signal });
    journal.backup = new Date().toISOString();
    await args.journal.write(journal);
  }
  step(`up of stack ${stack}`);
  await engine.up();
  step("waiting for the new pods");
  await rolledOut(args, api);
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
        kind && missing.some(({ object }) => object === title({ kind, name: metadata.name })),
    );
  const objects = site.adopted.map(({ live }) => live);
  const journal: Journal = {
    format: 1,
    stack: args.stack,
    started: new Date().toISOString(),
    identity: site.identity,
    state,
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
  return object.kind === "Secret" ? omit(object, "data", "stringData") : object;
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
function assertKept({ steps }: OperationReport): void {
  const harmful = steps.filter(({ op }) => /replace|delete/.test(op));
  if (!harmful.length) return;
  const list = harmful.map(({ op, type, name }) => `${op} ${type} ${name}`).join(", ");
  throw new Failure(
    `the preview would not keep everything (${list}); no pod was changed. ` +
      "Go back with --undo, and report this plan",
  );
}

/**
 * Waits until the new pods serve. The engine may be back earlier: under Recreate there is no new
 * revision as long as the old pod takes to end, and it takes the old one for the new.
 */
async function rolledOut({ signal }: AdoptArgs, api: Api): Promise<void> {
  const deadline = Date.now() + ROLLOUT_SECONDS * 1000;
  const workloads = [
    { kind: "StatefulSet", name: NAMES.database },
    { kind: "Deployment", name: NAMES.web },
  ];
  for (const workload of workloads) {
    const where = { apiVersion: "apps/v1", namespace: NAMESPACE, ...workload };
    while (!isRolledOut(await api.get(where))) {
      signal?.throwIfAborted();
      if (Date.now() > deadline) {
        throw new Failure(
          `${title(workload)} is not ready after ${ROLLOUT_SECONDS / 60} minutes; Helm's records are ` +
            `kept. Look why: kubectl -n ${NAMESPACE} get pods; then adopt again, or go back with --undo`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
}

/** Whether all pods of a workload are of its newest form, and serve; the old ones are gone. */
function isRolledOut(workload: Data | undefined): boolean {
  if (!workload) return false;
  const { metadata, spec, status } = workload;
  const wanted: number = spec.replicas ?? 1;
  return (
    status.observedGeneration >= metadata.generation &&
    status.replicas === wanted &&
    status.updatedReplicas === wanted &&
    status.availableReplicas === wanted
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
