/**
 * The nightly backup, which is one only after it has been restored (design decision 4).
 *
 * Objects: CronJob, ConfigMap, ServiceAccount, Role and RoleBinding `matomo-backup`. The state on
 * the web pod's volume is fetched through the web pod, so that no second pod mounts it
 * (incident 2); a failure anywhere fails the job (incident 5); the dump is restored and compared in
 * the same pod by the same image (incident 19).
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
}

/**
 * How long a run may take, in seconds: half an hour for each GiB that the database may have, four times
 * what a fifth of a processor needs for it; at least four hours, and less than a day, when the next is due.
 */
export function deadlineSeconds(databaseSize: string): number {
  const seconds = Math.ceil(mebibytes(databaseSize) / 1024) * 1800;
  return Math.min(Math.max(seconds, 4 * 3600), 23 * 3600);
}

export class Backup extends pulumi.ComponentResource {
  constructor(
    name: string,
    private readonly args: BackupArgs,
    opts: pulumi.ComponentResourceOptions,
  ) {
    super("matomo:index:Backup", name, {}, opts);
    const scripts = scriptFiles(
      "fetch-state.sh",
      "backup.sh",
      "list-backups.sh",
      "remove-backups.sh",
      "restore.sh",
    );
    const metadata = objectMeta(NAMES.backup, "backup");
    const config = new ConfigMap("scripts", { metadata, data: scripts }, { parent: this });
    const account = this.account();
    const { databaseCredentials, backupCredentials } = args;
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
              template: {
                metadata: {
                  labels: selectorLabels("backup"),
                  annotations: mountChecksum(
                    scripts,
                    databaseCredentials.data,
                    backupCredentials.data,
                  ),
                },
                spec: {
                  restartPolicy: "Never",
                  serviceAccountName: account,
                  automountServiceAccountToken: false,
                  securityContext: restrictedPod(MYSQL),
                  initContainers: [this.fetchState()],
                  containers: [this.dumpAndProve()],
                  volumes: [
                    { name: "backup", persistentVolumeClaim: { claimName: args.claim } },
                    configFiles("scripts", config.metadata.name, 0o555),
                    secretFiles("database-credentials", databaseCredentials.name, [
                      "mariadb-username",
                      "mariadb-password",
                    ]),
                    secretFiles("backup-credentials", backupCredentials.name, ["state-token"]),
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

  private container(name: string, image: string, script: string) {
    const { memory, cpu } = this.args;
    return {
      name,
      image,
      command: ["bash", `/opt/matomo/scripts/${script}`],
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
