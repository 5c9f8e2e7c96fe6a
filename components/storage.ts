/**
 * The site's three volumes: web state, database, backups.
 *
 * Objects: claims `matomo`, `data-matomo-mariadb-0`, `matomo-backup`, all ReadWriteOnce on
 * `do-block-storage`. With `mode: volumes` also a DigitalOcean Volume and a PersistentVolume that
 * names it for each: a volume whose identity the CSI driver lost (incident 7) is then seen by
 * `pulumi refresh`.
 *
 * The StatefulSet would make its own claim, but could never grow it: its template is immutable. So
 * the claim is made here under the name that the template gives it.
 */
import { Volume } from "@pulumi/digitalocean/volume";
import { PersistentVolume, PersistentVolumeClaim } from "@pulumi/kubernetes/core/v1";
import * as pulumi from "@pulumi/pulumi";
import { APP, type Component, NAMES, NAMESPACE, objectLabels, objectMeta } from "./labels";

export const STORAGE_CLASS = "do-block-storage";
const CSI_DRIVER = "dobs.csi.digitalocean.com";

export interface StorageArgs {
  /** `dynamic`: the storage class makes the volumes; `volumes`: Pulumi does. */
  mode: "dynamic" | "volumes";
  /** Sizes in whole Gi. They may grow later, never shrink. */
  data: string;
  database: string;
  backup: string;
  /** DigitalOcean region of the cluster; needed with `volumes`. */
  region?: string;
}

/** The PersistentVolume that `mode: volumes` makes for a claim. */
export function persistentVolumeName(claim: string): string {
  return `${APP}-${pulumi.getStack()}-${claim}`;
}

export class Storage extends pulumi.ComponentResource {
  /** Names of the claims, known once they are bound. */
  readonly dataClaim: pulumi.Output<string>;
  readonly backupClaim: pulumi.Output<string>;
  /** The claim itself: nothing names it, as the template's name leads to it. */
  readonly databaseClaim: PersistentVolumeClaim;

  constructor(
    name: string,
    private readonly args: StorageArgs,
    opts: pulumi.ComponentResourceOptions,
  ) {
    super("matomo:index:Storage", name, {}, opts);
    const { data, database, backup } = args;
    this.dataClaim = this.claim("data", NAMES.dataClaim, data, "web").metadata.name;
    this.databaseClaim = this.claim("database", NAMES.databaseClaim, database, "mariadb");
    this.backupClaim = this.claim("backup", NAMES.backupClaim, backup, "backup").metadata.name;
    this.registerOutputs({});
  }

  private claim(name: string, claimName: string, size: string, component: Component) {
    const volumeName =
      this.args.mode === "volumes" ? this.volume(name, claimName, size, component) : undefined;
    return new PersistentVolumeClaim(
      name,
      {
        metadata: objectMeta(claimName, component),
        spec: {
          accessModes: ["ReadWriteOnce"],
          storageClassName: STORAGE_CLASS,
          resources: { requests: { storage: size } },
          ...(volumeName && { volumeName }),
        },
      },
      {
        parent: this,
        protect: true,
        retainOnDelete: true,
        // The binder's own choice, which an import brings in: never a reason to replace a claim.
        ...(volumeName ? {} : { ignoreChanges: ["spec.volumeName"] }),
      },
    );
  }

  private volume(name: string, claimName: string, size: string, component: Component) {
    const kept = { parent: this, protect: true, retainOnDelete: true };
    const volume = new Volume(
      name,
      {
        name: persistentVolumeName(claimName),
        region: this.args.region!,
        size: Number.parseInt(size, 10),
        initialFilesystemType: "ext4",
        description: `Matomo ${name}, stack ${pulumi.getStack()}`,
      },
      kept,
    );
    const persistentVolume = new PersistentVolume(
      name,
      {
        metadata: { name: persistentVolumeName(claimName), labels: objectLabels(component) },
        spec: {
          accessModes: ["ReadWriteOnce"],
          capacity: { storage: size },
          storageClassName: STORAGE_CLASS,
          persistentVolumeReclaimPolicy: "Retain",
          claimRef: { namespace: NAMESPACE, name: claimName },
          csi: {
            driver: CSI_DRIVER,
            fsType: "ext4",
            volumeHandle: volume.id,
            // The volume came formatted; the driver must never do it again.
            volumeAttributes: { [`${CSI_DRIVER}/noformat`]: "true" },
          },
        },
      },
      kept,
    );
    return persistentVolume.metadata.name;
  }
}
