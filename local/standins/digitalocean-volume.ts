/**
 * Stand-in for the digitalocean provider's Volume resource and getVolume function.
 *
 * As with the real one: all but size and tags replaces; a volume can grow in place and never
 * shrink; a volume with a name of its own is deleted before its replacement is made; a volume that
 * was lost is seen by refresh. The volumes live in the local cloud, see cloud.ts.
 */
import { randomBytes } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { call, findVolume } from "./digitalocean-client";
import type { VolumeRecord } from "./digitalocean-client";
import type { Failure, ResourceStandIn } from "./resource";
import type { Properties } from "./wire";

const FILESYSTEMS = ["ext4", "xfs"];
const INPUTS = [
  "description",
  "filesystemType",
  "initialFilesystemLabel",
  "initialFilesystemType",
  "name",
  "region",
  "size",
  "snapshotId",
  "tags",
];

export const Volume: ResourceStandIn = {
  inputs: INPUTS,
  computed: ["dropletIds", "filesystemLabel", "filesystemType", "volumeUrn"],
  secret: [],
  complete(inputs, { name, olds }) {
    // The bridge lists in __defaults what it made up itself; see deleteBeforeReplace.
    if (inputs.name !== undefined) return { ...inputs, __defaults: [] };
    const made = madeUp(olds) ? olds.name : `${name}-${randomBytes(4).toString("hex").slice(1)}`;
    return { ...inputs, name: made, __defaults: ["name"] };
  },
  withDefaults: ({ region, ...inputs }) => ({
    ...inputs,
    region: typeof region === "string" ? region.toLowerCase() : region,
  }),
  validate,
  replacedBy: (property) => property !== "size" && property !== "tags",
  deleteBeforeReplace: (olds, news) => !madeUp(news) && olds.name === news.name,
  refuse(olds, planned) {
    if (Number(planned.size) < Number(olds.size)) {
      throw new Error("volumes `size` can only be expanded and not shrunk");
    }
  },
  async create(planned) {
    const { volume } = await call<{ volume: VolumeRecord }>("POST", "/v2/volumes", {
      name: planned.name,
      region: planned.region,
      size_gigabytes: planned.size,
      description: planned.description,
      snapshot_id: planned.snapshotId,
      filesystem_type: planned.initialFilesystemType ?? planned.filesystemType,
      filesystem_label: planned.initialFilesystemLabel,
      tags: planned.tags,
    });
    return { id: volume.id, state: { ...planned, ...liveState(volume) } };
  },
  async update(id, planned, olds) {
    if (planned.size !== olds.size) {
      await call("POST", `/v2/volumes/${id}/actions`, {
        type: "resize",
        size_gigabytes: planned.size,
        region: planned.region,
      });
    }
    if (!isDeepStrictEqual(planned.tags, olds.tags)) {
      await call("PUT", `/test/volumes/${id}/tags`, { tags: planned.tags ?? [] });
    }
    return { ...planned, ...liveState(await existing(id)) };
  },
  async delete(id) {
    await call("DELETE", `/v2/volumes/${id}`);
  },
  async import(id) {
    const volume = await findVolume(id);
    if (!volume) return undefined;
    const state = liveState(volume);
    // filesystemType is an input for old programs only; an import takes the one that replaced it.
    const names = INPUTS.filter((name) => state[name] !== undefined && name !== "filesystemType");
    const inputs = Object.fromEntries(names.map((name) => [name, state[name]]));
    return { id, state, inputs: { ...inputs, __defaults: [] } };
  },
  async refresh(id, olds) {
    const volume = await findVolume(id);
    return volume && { ...olds, ...liveState(volume) };
  },
  inputsAfterRefresh: (inputs, refreshed) =>
    Object.fromEntries(Object.entries(inputs).map(([k, v]) => [k, refreshed[k] ?? v])),
};

export async function getVolume(args: Properties): Promise<Properties> {
  const query = new URLSearchParams({ name: String(args.name) });
  if (args.region !== undefined) query.set("region", String(args.region));
  const { volumes } = await call<{ volumes: VolumeRecord[] }>("GET", `/v2/volumes?${query}`);
  if (volumes.length === 0) throw new Error(`no volumes found with name ${args.name}`);
  if (volumes.length > 1) throw new Error(`too many volumes found with name ${args.name}`);
  const { volumeUrn: urn, ...state } = liveState(volumes[0]);
  return { ...state, id: volumes[0].id, urn };
}

function validate(inputs: Properties): Failure[] {
  const failures: Failure[] = [];
  const fail = (property: string, reason: string): void => {
    failures.push({ property, reason });
  };
  const { name, size } = inputs;
  if (size !== undefined && !(Number.isInteger(size) && Number(size) >= 1)) {
    fail("size", `expected size to be at least (1), in GiB, got ${size}`);
  }
  if (typeof name === "string" && !/^[a-z][a-z0-9-]{0,63}$/.test(name)) {
    fail("name", `must be at most 64 of a-z, 0-9 and -, and begin with a letter, got ${name}`);
  }
  for (const property of ["initialFilesystemType", "filesystemType"]) {
    const value = inputs[property];
    if (value !== undefined && !FILESYSTEMS.includes(value as string)) {
      fail(property, `expected ${property} to be one of ${FILESYSTEMS.join(", ")}, got ${value}`);
    }
  }
  if (inputs.filesystemType !== undefined && inputs.initialFilesystemType !== undefined) {
    fail("filesystemType", "conflicts with initialFilesystemType: give that one alone");
  }
  for (const property of ["region", "description", "snapshotId", "initialFilesystemLabel"]) {
    if (inputs[property] === "") fail(property, `${property} must not be empty: leave it out`);
  }
  return failures;
}

function madeUp(inputs: Properties): boolean {
  return Array.isArray(inputs.__defaults) && inputs.__defaults.includes("name");
}

async function existing(id: string): Promise<VolumeRecord> {
  const volume = await findVolume(id);
  if (!volume) throw new Error(`Error retrieving volume: ${id} could not be found`);
  return volume;
}

function liveState(volume: VolumeRecord): Properties {
  const state: Properties = {
    name: volume.name,
    region: volume.region.slug,
    size: volume.size_gigabytes,
    volumeUrn: `do:volume:${volume.id}`,
    dropletIds: volume.droplet_ids,
    tags: volume.tags,
    filesystemType: volume.filesystem_type,
    filesystemLabel: volume.filesystem_label,
  };
  // What the API leaves empty is left as it was, as in the real provider's read.
  if (volume.description) state.description = volume.description;
  if (volume.filesystem_type) state.initialFilesystemType = volume.filesystem_type;
  if (volume.filesystem_label) state.initialFilesystemLabel = volume.filesystem_label;
  return state;
}
