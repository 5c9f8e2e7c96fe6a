/**
 * The volumes behind the live claims. The storage class has them deleted with their claims: before
 * anything else of an adoption they are told to stay, and an undo gives them back what they had.
 */
import type { Data } from "../engine";
import { type Api, title } from "./api";
import type { Volume } from "./journal";
import type { PlanEntry } from "./plan";
import type { Adopted } from "./state";

const RETAIN = "Retain";
const FIELD = "persistentVolumeReclaimPolicy";

/** What changes a volume's policy, and says so. */
interface Changing {
  api: Api;
  step: (what: string) => void;
}

/** The volumes of the adopted claims that would go with them. */
export async function readVolumes(api: Api, adopted: Adopted[]): Promise<Volume[]> {
  const claims = adopted.filter(({ live }) => live.kind === "PersistentVolumeClaim");
  const names = claims.map(({ live }) => live.spec.volumeName as string | undefined);
  const live = await Promise.all(names.flatMap((name) => (name ? [api.get(reference(name))] : [])));
  return live
    .filter((volume): volume is Data => volume !== undefined && volume.spec[FIELD] !== RETAIN)
    .map(({ metadata: { name, uid }, spec }) => ({ name, uid, policy: spec[FIELD] }) as Volume);
}

/** In the plan. */
export function keptEntry({ name, policy }: Volume): PlanEntry {
  const change = { path: `spec.${FIELD}`, before: policy, after: RETAIN };
  const object = title(reference(name));
  return { object, action: "change", changes: [change], bookkeeping: 0, notes: [] };
}

/** From now on the volumes stay when their claims go. */
export async function keepVolumes(changing: Changing, volumes: Volume[]): Promise<void> {
  for (const volume of volumes) {
    await setPolicy(changing, volume, { from: volume.policy, to: RETAIN });
  }
}

/** The volumes have the policy that they had. */
export async function releaseVolumes(changing: Changing, volumes: Volume[]): Promise<void> {
  for (const volume of volumes) {
    await setPolicy(changing, volume, { from: RETAIN, to: volume.policy });
  }
}

/** A volume that is another one by now, or that somebody gave another policy, is left as it is. */
async function setPolicy(
  { api, step }: Changing,
  { name, uid }: Volume,
  { from, to }: { from: string; to: string },
): Promise<void> {
  const where = reference(name);
  const live = await api.get(where);
  if (live?.metadata.uid !== uid || live.spec[FIELD] !== from) return;
  step(`${title(where)}: reclaim policy ${to}`);
  await api.patch(where, { metadata: { uid }, spec: { [FIELD]: to } });
}

function reference(name: string) {
  return { apiVersion: "v1", kind: "PersistentVolume", name };
}
