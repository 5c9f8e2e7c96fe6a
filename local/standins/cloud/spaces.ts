/** The local cloud's buckets, by name, and the keys that open them; kept in a file. */
import { randomBytes } from "node:crypto";
import { readKept, writeKept } from "./kept";
import { CloudError, notFound } from "./volumes";

interface Bucket {
  name: string;
  region: string;
}

interface Key {
  name: string;
  access_key: string;
  grants: unknown;
  created_at: string;
}

export class SpaceStore {
  private readonly stored: { buckets: Bucket[]; keys: Key[] };

  constructor(private readonly file: string) {
    this.stored = readKept(file, { buckets: [], keys: [] });
  }

  bucket(name: string): Bucket {
    return known(this.stored.buckets.find((one) => one.name === name));
  }

  makeBucket(bucket: Bucket): Bucket {
    if (this.stored.buckets.some(({ name }) => name === bucket.name)) {
      throw new CloudError(409, "BucketAlreadyExists", `bucket ${bucket.name} already exists`);
    }
    this.stored.buckets.push(bucket);
    this.save();
    return bucket;
  }

  removeBucket(name: string): void {
    this.stored.buckets.splice(this.stored.buckets.indexOf(this.bucket(name)), 1);
    this.save();
  }

  key(id: string): Key {
    return known(this.stored.keys.find((one) => one.access_key === id));
  }

  /** The new key, with the secret that nobody is told again. */
  makeKey({ name, grants }: Pick<Key, "name" | "grants">): Key & { secret_key: string } {
    const access_key = `DO00${randomBytes(8).toString("hex").toUpperCase()}`;
    const key = { name, access_key, grants, created_at: new Date().toISOString() };
    this.stored.keys.push(key);
    this.save();
    return { ...key, secret_key: randomBytes(32).toString("base64") };
  }

  changeKey(id: string, { name, grants }: Pick<Key, "name" | "grants">): Key {
    const key = Object.assign(this.key(id), { name, grants });
    this.save();
    return key;
  }

  removeKey(id: string): void {
    this.stored.keys.splice(this.stored.keys.indexOf(this.key(id)), 1);
    this.save();
  }

  private save(): void {
    writeKept(this.file, this.stored);
  }
}

function known<T>(one: T | undefined): T {
  if (one) return one;
  throw notFound();
}
