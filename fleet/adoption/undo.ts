/**
 * Gives a site back to Helm: everything that an adoption saved is put back, whatever it had come to.
 * Values and claims stay as they are, a password that had to be corrected stays corrected; on the web
 * volume the old site's plugins and its configuration go back to where it has them.
 *
 * The state comes first: an engine that is still at work refuses that, before anything is touched, and
 * afterwards no `up` knows the site any more. Interrupted anywhere and run again, an undo goes on where
 * it was; so does an adoption, which then finds a site that is not quite adopted.
 */
import { isDeepStrictEqual } from "node:util";
import { NAMES } from "../../components/labels";
import { FIELD_MANAGER } from "../../components/ownership";
import { compareVersions, podVersion } from "../../components/versions";
import type { Data } from "../engine";
import { Failure } from "../errors";
import type { AdoptArgs } from "./adopt";
import { Api, reference, title } from "./api";
import type { ManagedFields } from "./fields";
import { removeAdoptionJob } from "./job";
import type { Journal } from "./journal";
import { returnPlugins } from "./plugins";
import { omit } from "./shape";
import { releaseVolumes } from "./volumes";

/** What an undo will do, for a person. */
export function undoText({ stack, started, objects, added, records, volumes }: Journal): string {
  return [
    `Undo of the adoption of stack ${stack} that began at ${started}:`,
    `  ${objects.length} objects become what they were; no claim and no data changes`,
    `  ${added.length} objects that the program added are deleted, where they were made`,
    `  ${records.length} of Helm's records are put back`,
    `  ${volumes.length} volumes go with their claims again, as they did`,
    "  the stack's state becomes what it was",
  ].join("\n");
}

/**
 * Puts everything back.
 * @returns where the saved file is kept
 * @throws Failure before anything is touched when the site has moved on too far
 */
export async function undo(args: AdoptArgs, journal: Journal): Promise<string> {
  const { engine, step } = args;
  const api = new Api(args.kubeconfig);
  await assertReversible(api, journal);
  step(`the state of stack ${args.stack} becomes what it was`);
  await engine.importState(journal.state);
  await args.journal.write({ ...journal, finished: undefined });
  await removeAdoptionJob(api);
  await giveCodeBack(args, api, journal);
  for (const added of journal.added) {
    const where = reference(added);
    const live = await api.get(where);
    if (!live || !isOurs(live)) continue;
    step(`deleting ${title(where)}`);
    await api.delete(where);
  }
  // The namespace last: until all of the site is Helm's again, its identity keeps every `up` away.
  const isNamespace = ({ kind }: Data) => Number(kind === "Namespace");
  const ordered = [...journal.objects].sort((a, b) => isNamespace(a) - isNamespace(b));
  for (const before of ordered) await putBack(args, api, journal, before);
  for (const leftover of [...journal.leftovers, ...journal.records]) {
    if (await api.get(reference(leftover))) continue;
    step(`putting back ${title(reference(leftover))}`);
    await api.create(fresh(leftover));
  }
  await releaseVolumes({ api, step }, journal.volumes);
  return args.journal.archive(journal);
}

/** Before the old web pod comes back; one that never went has its code. */
async function giveCodeBack(args: AdoptArgs, api: Api, { objects }: Journal): Promise<void> {
  const before = objects.find(
    ({ kind, metadata }) => kind === "Deployment" && metadata.name === NAMES.web,
  );
  if (!before) return;
  const live = await api.get(reference(before));
  if (isDeepStrictEqual(live?.spec.template, before.spec.template)) return;
  args.step("the old site gets its plugins and its configuration back");
  const { config, signal } = args;
  await returnPlugins({ api, config, signal }, before.spec.template.spec.containers[0].image);
}

function isOurs({ metadata }: Data): boolean {
  const entries = (metadata.managedFields ?? []) as ManagedFields[];
  return entries.some(({ manager }) => manager?.startsWith(FIELD_MANAGER));
}

/** An older Matomo or MariaDB cannot read what a newer one has written. */
async function assertReversible(api: Api, journal: Journal): Promise<void> {
  for (const before of journal.objects) {
    if (before.kind !== "Deployment" && before.kind !== "StatefulSet") continue;
    const live = await api.get(reference(before));
    const [then, now] = [before, live].map(
      (object) => object && podVersion(object.spec.template as Data),
    );
    if (then && now && compareVersions(then, now) < 0) {
      throw new Failure(
        `${title(reference(before))} has been upgraded from ${then} to ${now} since: ${then} cannot ` +
          "read what it has written. Go back by restoring the backup that the adoption made",
      );
    }
  }
}

async function putBack(
  { step }: AdoptArgs,
  api: Api,
  journal: Journal,
  before: Data,
): Promise<void> {
  const where = reference(before);
  const live = await api.get(where);
  if (!live) {
    if (before.kind === "Secret" || before.kind === "PersistentVolumeClaim") {
      throw new Failure(`${title(where)} is gone: an undo cannot bring back what it held`);
    }
    step(`putting back ${title(where)}`);
    await api.create(fresh(before));
    return;
  }
  if (live.metadata.resourceVersion === before.metadata.resourceVersion) return;
  step(`putting back ${title(where)}`);
  await api.revise(where, (now) => ({ replacement: asBefore(now, before, journal) }));
  // Who set what, in a write of its own: with the content, the writer would be noted as well.
  await api.revise(where, ({ metadata }) => {
    const status = ((metadata.managedFields ?? []) as ManagedFields[]).filter(
      ({ subresource }) => subresource,
    );
    const own = (before.metadata.managedFields as ManagedFields[]).filter(
      ({ subresource }) => !subresource,
    );
    return { patch: { metadata: { managedFields: [...own, ...status] } } };
  });
}

/** The live object with the content that it had. */
function asBefore(live: Data, before: Data, journal: Journal): Data {
  const { labels, annotations } = before.metadata as Data;
  const metadata = { ...live.metadata, labels, annotations };
  if (before.kind === "Secret") {
    const keys = journal.secretKeys[before.metadata.name as string] ?? [];
    const data = Object.entries((live.data as Data) ?? {}).filter(([key]) => keys.includes(key));
    return { ...live, metadata, data: Object.fromEntries(data) };
  }
  // A claim may have grown, and never shrinks; a namespace has nothing else of its own.
  if (before.kind === "PersistentVolumeClaim" || before.kind === "Namespace") {
    return { ...live, metadata };
  }
  return { ...before, metadata, status: live.status };
}

/** An object to be made anew: without what the API server gave the old one. */
function fresh(object: Data): Data {
  const given = ["uid", "resourceVersion", "creationTimestamp", "generation", "managedFields"];
  return { ...omit(object, "status"), metadata: omit(object.metadata as Data, ...given) };
}
