/**
 * The local cloud's volumes: DigitalOcean's rules for them, kept in a file.
 *
 * Part of the stand-in for DigitalOcean's cloud. A volume can be lost, as in the incident where
 * the CSI driver no longer found the backup volume, and found again.
 */
import { randomUUID } from "node:crypto";
import { EventEmitter } from "node:events";
import type { VolumeRecord } from "../digitalocean-client";
import { readKept, writeKept } from "./kept";

export interface VolumeRequest {
  name?: string;
  region?: string;
  size_gigabytes?: number;
  description?: string;
  filesystem_type?: string;
  filesystem_label?: string;
  tags?: string[];
}

/** An answer of the API other than success: HTTP status, DigitalOcean's error id, message. */
export class CloudError extends Error {
  constructor(
    readonly status: number,
    readonly id: string,
    message: string,
  ) {
    super(message);
  }
}

/** Of what an id or a name stands for. */
export function notFound(): CloudError {
  return new CloudError(404, "not_found", "The resource you were accessing could not be found.");
}

const MAX_GIGABYTES = 16 * 1024;

interface Stored {
  volumes: VolumeRecord[];
  lost: VolumeRecord[];
}

export class VolumeStore extends EventEmitter<{ change: [id: string] }> {
  private readonly stored: Stored;

  constructor(private readonly file: string) {
    super();
    this.stored = readKept(file, { volumes: [], lost: [] });
  }

  list(filter: { name?: string | null; region?: string | null } = {}): VolumeRecord[] {
    return this.stored.volumes.filter(
      ({ name, region }) =>
        (!filter.name || name === filter.name) && (!filter.region || region.slug === filter.region),
    );
  }

  find(id: string): VolumeRecord | undefined {
    return this.stored.volumes.find((volume) => volume.id === id);
  }

  get(id: string): VolumeRecord {
    const volume = this.find(id);
    if (volume) return volume;
    throw notFound();
  }

  create(request: VolumeRequest): VolumeRecord {
    const { name, region, size_gigabytes: size = 0 } = request;
    if (!name || !/^[a-z][a-z0-9-]{0,63}$/.test(name)) throw unprocessable(`name ${name}`);
    if (!region) throw unprocessable("region is missing");
    if (!Number.isInteger(size) || size < 1 || size > MAX_GIGABYTES) {
      throw unprocessable(`size_gigabytes ${size} is not between 1 and ${MAX_GIGABYTES}`);
    }
    if (this.list({ name, region }).length > 0) {
      throw new CloudError(409, "conflict", `volume ${name} already exists in region ${region}`);
    }
    const volume: VolumeRecord = {
      id: randomUUID(),
      name,
      region: { slug: region },
      size_gigabytes: size,
      description: request.description ?? "",
      filesystem_type: request.filesystem_type ?? "",
      filesystem_label: request.filesystem_label ?? "",
      droplet_ids: [],
      tags: request.tags ?? [],
      created_at: new Date().toISOString(),
    };
    this.stored.volumes.push(volume);
    this.changed(volume.id);
    return volume;
  }

  resize(id: string, size: number): void {
    const volume = this.get(id);
    if (!Number.isInteger(size) || size <= volume.size_gigabytes || size > MAX_GIGABYTES) {
      throw unprocessable(
        `new size ${size} must be more than ${volume.size_gigabytes} and at most ${MAX_GIGABYTES}`,
      );
    }
    volume.size_gigabytes = size;
    this.changed(id);
  }

  attach(id: string, droplet: number): void {
    const volume = this.get(id);
    if (volume.droplet_ids.includes(droplet)) return;
    if (volume.droplet_ids.length > 0) throw unprocessable("This volume is already attached");
    volume.droplet_ids = [droplet];
    this.changed(id);
  }

  detach(id: string, droplet: number): void {
    const volume = this.get(id);
    if (!volume.droplet_ids.includes(droplet)) throw unprocessable("Attachment not found");
    volume.droplet_ids = [];
    this.changed(id);
  }

  setTags(id: string, tags: string[]): void {
    this.get(id).tags = tags;
    this.changed(id);
  }

  delete(id: string): void {
    const volume = this.get(id);
    if (volume.droplet_ids.length > 0) {
      throw new CloudError(409, "conflict", "Cannot delete a volume that is attached: detach it");
    }
    this.take(id);
  }

  /** Test hook: the volume is gone, attached or not, and nobody is told. */
  lose(id: string): void {
    this.get(id).droplet_ids = [];
    this.stored.lost.push(this.take(id));
    this.save();
  }

  /** Test hook: a lost volume is there again, under the same id. */
  restore(id: string): void {
    const index = this.stored.lost.findIndex((volume) => volume.id === id);
    if (index < 0) throw new CloudError(404, "not_found", `volume ${id} was not lost`);
    this.stored.volumes.push(...this.stored.lost.splice(index, 1));
    this.changed(id);
  }

  private take(id: string): VolumeRecord {
    const index = this.stored.volumes.findIndex((volume) => volume.id === id);
    const [volume] = this.stored.volumes.splice(index, 1);
    this.changed(id);
    return volume;
  }

  private changed(id: string): void {
    this.save();
    this.emit("change", id);
  }

  private save(): void {
    writeKept(this.file, this.stored);
  }
}

function unprocessable(message: string): CloudError {
  return new CloudError(422, "unprocessable_entity", message);
}
