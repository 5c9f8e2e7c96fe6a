/**
 * The bucket that backups are brought to, where the program makes it: a Space of DigitalOcean, and a key
 * pair that opens it and nothing else.
 *
 * What was removed or written over stays as an old version for a month, so that whoever has the pod's key
 * cannot take the backups away at once. The bucket outlives the stack; the key pair does not.
 */
import { SpacesBucket } from "@pulumi/digitalocean/spacesBucket";
import { SpacesKey } from "@pulumi/digitalocean/spacesKey";
import * as pulumi from "@pulumi/pulumi";
import type { KeyPair } from "./credentials";

export interface OffsiteBucketArgs {
  /** Unique in its region, among the buckets of everybody. */
  bucket: string;
  /** Region of DigitalOcean Spaces, such as fra1. */
  region: string;
}

/** How long what was removed can be had back, in days. */
const OLD_VERSION_DAYS = 30;

export class OffsiteBucket extends pulumi.ComponentResource {
  readonly key: pulumi.Output<KeyPair>;

  constructor(
    name: string,
    { bucket, region }: OffsiteBucketArgs,
    opts: pulumi.ComponentResourceOptions,
  ) {
    super("matomo:index:OffsiteBucket", name, {}, opts);
    const space = new SpacesBucket(
      "offsite",
      {
        name: bucket,
        region,
        acl: "private",
        versioning: { enabled: true },
        lifecycleRules: [
          {
            id: "old-versions",
            enabled: true,
            noncurrentVersionExpiration: { days: OLD_VERSION_DAYS },
            abortIncompleteMultipartUploadDays: OLD_VERSION_DAYS,
          },
        ],
      },
      { parent: this, protect: true, retainOnDelete: true },
    );
    const grants = [{ bucket: space.name, permission: "readwrite" }];
    const pair = new SpacesKey("offsite", { name: bucket, grants }, { parent: this });
    const parts = pulumi.all([pair.accessKey, pair.secretKey]);
    this.key = pulumi.secret(
      parts.apply(([accessKeyId, secretAccessKey]) => ({ accessKeyId, secretAccessKey })),
    );
    this.registerOutputs({});
  }
}
