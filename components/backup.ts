/**
 * The nightly backup, which is one only after it has been restored (design decision 4), and, where there
 * is a place for it, off-site only after it was read back from there.
 *
 * Objects: CronJob, ConfigMap, ServiceAccount, Role and RoleBinding `matomo-backup`. The state on
 * the web pod's volume is fetched through the web pod, so that no second pod mounts it
 * (incident 2); a failure anywhere fails the job (incident 5); the dump is restored and compared in
 * the same pod by the same image (incident 19). Off-site it is brought by a container of its own, which
 * alone has the bucket's key, and has the volume read-only.
 */
import { CronJob } from "@pulumi/kubernetes/batch/v1";
import { ConfigMap, ServiceAccount } from "@pulumi/kubernetes/core/v1";
import { Role, RoleBinding } from "@pulumi/kubernetes/rbac/v1";
import * as pulumi from "@pulumi/pulumi";
import type { MountedSecret } from "./credentials";
import { DATABASE_NAME, DATABASE_PORT } from "./database";
import { NAMES, NAMESPACE, objectMeta, selectorLabels } from "./labels";
import {
  configFiles,
  mountChecksum,
  MYSQL,
  requestsAndLimits,
  restrictedContainer,
  restrictedPod,
  scratch,
  scriptFiles,
  secretFiles,
} from "./pods";
import { half, mebibytes } from "./quantity";
import type { Repository } from "./settings";
import { RESTIC_IMAGE } from "./versions";
import { STATE_PORT } from "./web";

export interface BackupArgs {
  /** Matomo's image, which fetches the state. */
  siteImage: string;
  /** The database's own image: its client is never older than the server. */
  databaseImage: string;
  /** Cron schedule, UTC. */
  schedule: string;
  /** Days that a backup is kept; the newest proven one always is. */
  retentionDays: number;
  /** Seconds that the job may take; default: `deadlineSeconds`. */
  timeout?: number;
  /** Limits of each of its containers. */
  memory: string;
  cpu: string;
  /** The claim that backups are written to. */
  claim: pulumi.Input<string>;
  /** Host names of the web and database Services. */
  webHost: pulumi.Input<string>;
  databaseHost: pulumi.Input<string>;
  /** Size of the database's volume, for example 8Gi. */
  databaseSize: string;
  /** What the site's tables begin with. */
  tablePrefix: string;
  /** The site's primary host name, which the manifest states. */
  siteHost: string;
  databaseCredentials: MountedSecret;
  backupCredentials: MountedSecret;
  /** Where each proven backup is brought as well. */
  offsite?: { repository: Repository; credentials: MountedSecret };
}

/**
 * How long a run may take, in seconds: half an hour for each GiB that the database may have, four times
 * what a fifth of a processor needs for it; at least four hours, and less than a day, when the next is due.
 */
export function deadlineSeconds(databaseSize: string): number {
  const seconds = Math.ceil(mebibytes(databaseSize) / 1024) * 1800;
  return Math.min(Math.max(seconds, 4 * 3600), 23 * 3600);
}

/** What the container off-site runs, by day and by hand. */
const OFFSITE_SCRIPTS = [
  "offsite.sh",
  "offsite-lib.sh",
  "list-offsite.sh",
  "fetch-offsite.sh",
  "send-offsite.sh",
];

/**
 * Requests and limits of the container off-site. Whatever it brings, restic takes some 230 MiB: measured in a
 * cgroup of 256 MiB with a backup of 667 MiB. Each 100 MiB take 4 seconds of a processor.
 */
const OFFSITE_RESOURCES: [string, string] = ["50m/128Mi", "500m/384Mi"];

/**
 * Another try would dump and prove once more, and the volume have a backup for each: what is not brought
 * tonight is brought tomorrow. A pod that has to leave its node is no failure of anybody.
 */
const OFFSITE_FAILURE = {
  rules: [
    { action: "Count", onPodConditions: [{ type: "DisruptionTarget" }] },
    {
      action: "FailJob",
      onExitCodes: { containerName: "offsite", operator: "NotIn", values: [0] },
    },
  ],
};

export class Backup extends pulumi.ComponentResource {
  constructor(
    name: string,
    private readonly args: BackupArgs,
    opts: pulumi.ComponentResourceOptions,
  ) {
    super("matomo:index:Backup", name, {}, opts);
    const { databaseCredentials, backupCredentials, offsite } = args;
    const scripts = scriptFiles(
      "fetch-state.sh",
      "backup.sh",
      "list-backups.sh",
      "remove-backups.sh",
      "restore.sh",
      ...(offsite ? OFFSITE_SCRIPTS : []),
    );
    const metadata = objectMeta(NAMES.backup, "backup");
    const config = new ConfigMap("scripts", { metadata, data: scripts }, { parent: this });
    const account = this.account();
    new CronJob(
      "job",
      {
        metadata,
        spec: {
          schedule: args.schedule,
          timeZone: "Etc/UTC",
          concurrencyPolicy: "Forbid",
          startingDeadlineSeconds: 3600,
          successfulJobsHistoryLimit: 1,
          failedJobsHistoryLimit: 1,
          jobTemplate: {
            spec: {
              activeDeadlineSeconds: args.timeout ?? deadlineSeconds(args.databaseSize),
              backoffLimit: 2,
              ...(offsite && { podFailurePolicy: OFFSITE_FAILURE }),
              template: {
                metadata: {
                  labels: selectorLabels("backup"),
                  annotations: mountChecksum(
                    scripts,
                    databaseCredentials.data,
                    backupCredentials.data,
                    ...(offsite ? [offsite.credentials.data] : []),
                  ),
                },
                spec: {
                  restartPolicy: "Never",
                  serviceAccountName: account,
                  automountServiceAccountToken: false,
                  securityContext: restrictedPod(MYSQL),
                  initContainers: [this.fetchState(), ...(offsite ? [this.dumpAndProve()] : [])],
                  containers: [offsite ? this.bringOffsite(offsite) : this.dumpAndProve()],
                  volumes: [
                    { name: "backup", persistentVolumeClaim: { claimName: args.claim } },
                    configFiles("scripts", config.metadata.name, 0o555),
                    secretFiles("database-credentials", databaseCredentials.name, [
                      "mariadb-username",
                      "mariadb-password",
                    ]),
                    secretFiles("backup-credentials", backupCredentials.name, ["state-token"]),
                    ...(offsite
                      ? [
                          secretFiles("offsite-credentials", offsite.credentials.name, [
                            "credentials",
                            "repository-password",
                          ]),
                        ]
                      : []),
                    scratch("tmp", "256Mi"),
                  ],
                },
              },
            },
          },
        },
      },
      { parent: this },
    );
    this.registerOutputs({});
  }

  /** The contract's rights: to see pods and claims, and nothing else. */
  private account(): pulumi.Output<string> {
    const metadata = objectMeta(NAMES.backup, "backup");
    const account = new ServiceAccount(
      "account",
      { metadata, automountServiceAccountToken: false },
      { parent: this },
    );
    const role = new Role(
      "role",
      {
        metadata,
        rules: [
          {
            apiGroups: [""],
            resources: ["pods", "persistentvolumeclaims"],
            verbs: ["get", "list"],
          },
        ],
      },
      { parent: this },
    );
    new RoleBinding(
      "binding",
      {
        metadata,
        roleRef: {
          apiGroup: "rbac.authorization.k8s.io",
          kind: "Role",
          name: role.metadata.name,
        },
        subjects: [{ kind: "ServiceAccount", name: account.metadata.name, namespace: NAMESPACE }],
      },
      { parent: this },
    );
    return account.metadata.name;
  }

  private container(name: string, image: string, script: string, shell = "bash") {
    const { memory, cpu } = this.args;
    return {
      name,
      image,
      command: [shell, `/opt/matomo/scripts/${script}`],
      resources: requestsAndLimits(`50m/${half(memory)}`, `${cpu}/${memory}`),
      securityContext: restrictedContainer,
    };
  }

  private mounts(secret: string, folder: string) {
    return [
      { name: "backup", mountPath: "/backup" },
      { name: "scripts", mountPath: "/opt/matomo/scripts", readOnly: true },
      { name: secret, mountPath: `/run/secrets/${folder}`, readOnly: true },
      { name: "tmp", mountPath: "/tmp" },
    ];
  }

  private fetchState() {
    const { args } = this;
    const url = pulumi.interpolate`http://${args.webHost}:${STATE_PORT}/`;
    return {
      ...this.container("state", args.siteImage, "fetch-state.sh"),
      env: [{ name: "STATE_URL", value: url }],
      volumeMounts: this.mounts("backup-credentials", "backup"),
    };
  }

  private bringOffsite({ repository }: NonNullable<BackupArgs["offsite"]>) {
    const { args } = this;
    const mounts = this.mounts("offsite-credentials", "offsite");
    return {
      ...this.container("offsite", RESTIC_IMAGE, "offsite.sh", "sh"),
      env: [
        { name: "RESTIC_REPOSITORY", value: repository.url },
        { name: "AWS_DEFAULT_REGION", value: repository.region },
        { name: "RETENTION_DAYS", value: String(args.retentionDays) },
        { name: "SITE_HOST", value: args.siteHost },
      ],
      resources: requestsAndLimits(...OFFSITE_RESOURCES),
      volumeMounts: mounts.map((mount) =>
        mount.name === "backup" ? { ...mount, readOnly: true } : mount,
      ),
    };
  }

  private dumpAndProve() {
    const { args } = this;
    return {
      ...this.container("backup", args.databaseImage, "backup.sh"),
      env: [
        { name: "DATABASE_HOST", value: args.databaseHost },
        { name: "DATABASE_PORT", value: String(DATABASE_PORT) },
        { name: "DATABASE_NAME", value: DATABASE_NAME },
        { name: "TABLE_PREFIX", value: args.tablePrefix },
        { name: "SITE_HOST", value: args.siteHost },
        { name: "RETENTION_DAYS", value: String(args.retentionDays) },
      ],
      volumeMounts: this.mounts("database-credentials", "mariadb"),
    };
  }
}
