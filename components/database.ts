/**
 * MariaDB, one server on one volume.
 *
 * Objects: StatefulSet, Service and ConfigMap `matomo-mariadb`. Its claim is made by storage.ts.
 * Rules out incident 1 (its Service and the web's select different components) and incident 11
 * (max_allowed_packet of 16M).
 */
import { StatefulSet } from "@pulumi/kubernetes/apps/v1";
import { ConfigMap, Service } from "@pulumi/kubernetes/core/v1";
import * as pulumi from "@pulumi/pulumi";
import {
  type DatabaseCapacity,
  ARIA_MIB,
  MAX_ALLOWED_PACKET_MIB,
  TEMPORARY_TABLE_MIB,
} from "./capacity";
import type { MountedSecret } from "./credentials";
import { NAMES, objectMeta, selectorLabels, serviceMeta } from "./labels";
import {
  configFiles,
  mountChecksum,
  MYSQL,
  requestsAndLimits,
  restrictedContainer,
  restrictedPod,
  ROLLOUT_TIMEOUTS,
  scratch,
  scriptFiles,
  secretFiles,
} from "./pods";
import { half } from "./quantity";
import { STORAGE_CLASS } from "./storage";
import { versionAnnotation } from "./versions";

/** Matomo's database, by the contract. */
export const DATABASE_NAME = "matomo";
export const DATABASE_PORT = 3306;

/**
 * What the claim template states, by the contract. It is immutable, and the claim that its name
 * leads to is made, and grown, by storage.ts: a size from the settings could only be in the way.
 */
const TEMPLATE_SIZE = "8Gi";

const OPTIONS = "99-matomo.cnf";
/** Starts the server, whatever an earlier first start left. */
const START = "database-start.sh";
/** Run by the image's entrypoint at the end of a first start. */
const MADE = "database-made.sh";

export interface DatabaseArgs {
  image: string;
  /** The image's version, as its tag or the settings tell it. */
  version: string;
  /** Memory limit, for example 1Gi. */
  memory: string;
  /** Buffers and connections that fit it. */
  capacity: DatabaseCapacity;
  /** The claim that the template's name leads to: made before the StatefulSet makes its own. */
  claim: pulumi.Resource;
  credentials: MountedSecret;
}

/** The server's option file. */
export function serverOptions(capacity: DatabaseCapacity): string {
  return [
    "# Generated from the stack's settings: every value fits the container's memory limit.",
    "[mariadbd]",
    `innodb_buffer_pool_size = ${capacity.bufferPoolMib}M`,
    `max_connections = ${capacity.maxConnections}`,
    `max_allowed_packet = ${MAX_ALLOWED_PACKET_MIB}M`,
    `tmp_memory_table_size = ${TEMPORARY_TABLE_MIB}M`,
    `aria_pagecache_buffer_size = ${ARIA_MIB}M`,
    "# No table is MyISAM's.",
    "key_buffer_size = 1M",
    "# Newer servers take 96M, for transactions larger than Matomo has any.",
    "innodb_log_buffer_size = 16M",
    "performance_schema = OFF",
    "character_set_server = utf8mb4",
    "# A client whose node is gone gives its locks back after two minutes, not two hours.",
    "tcp_keepalive_time = 60",
    "tcp_keepalive_interval = 10",
    "tcp_keepalive_probes = 6",
    "# An answered visit is on the disk.",
    "innodb_flush_log_at_trx_commit = 1",
    "# ext4 keeps one at the volume's root; it is no database.",
    "ignore_db_dirs = lost+found",
    "# Pods have no names that a reverse look-up would find.",
    "skip_name_resolve = ON",
    "# Since 11.6 concurrent visits could be answered with error 1020; Matomo expects the old ways.",
    "loose_innodb_snapshot_isolation = OFF",
    "",
  ].join("\n");
}

export class Database extends pulumi.ComponentResource {
  /** Host name inside the namespace. */
  readonly host: pulumi.Output<string>;

  constructor(name: string, args: DatabaseArgs, opts: pulumi.ComponentResourceOptions) {
    super("matomo:index:Database", name, {}, opts);
    const files = { [OPTIONS]: serverOptions(args.capacity), ...scriptFiles(START, MADE) };
    const config = new ConfigMap(
      "config",
      { metadata: objectMeta(NAMES.database, "mariadb"), data: files },
      { parent: this },
    );
    const service = new Service(
      "service",
      {
        metadata: serviceMeta(NAMES.database, "mariadb"),
        spec: {
          selector: selectorLabels("mariadb"),
          ports: [{ name: "mariadb", port: DATABASE_PORT, targetPort: "mariadb" }],
        },
      },
      { parent: this },
    );
    new StatefulSet(
      "server",
      {
        metadata: objectMeta(NAMES.database, "mariadb"),
        spec: {
          replicas: 1,
          // A pod that never becomes ready would keep the controller from the next template, also from
          // the one before it. There is one pod, so that nothing is done beside anything else.
          podManagementPolicy: "Parallel",
          serviceName: NAMES.database,
          selector: { matchLabels: selectorLabels("mariadb") },
          template: {
            metadata: {
              labels: selectorLabels("mariadb"),
              annotations: {
                ...mountChecksum(files, args.credentials.data),
                ...versionAnnotation(args.image, args.version),
              },
            },
            spec: this.pod(args, config.metadata.name),
          },
          volumeClaimTemplates: [
            {
              metadata: { name: "data", labels: selectorLabels("mariadb") },
              spec: {
                accessModes: ["ReadWriteOnce"],
                storageClassName: STORAGE_CLASS,
                resources: { requests: { storage: TEMPLATE_SIZE } },
              },
            },
          ],
        },
      },
      {
        parent: this,
        protect: true,
        customTimeouts: ROLLOUT_TIMEOUTS,
        dependsOn: [service, args.claim],
        // Immutable on a StatefulSet: a difference, as an adopted one has it, would replace it. The
        // claim grows by itself.
        ignoreChanges: [
          "spec.volumeClaimTemplates",
          "spec.serviceName",
          "spec.podManagementPolicy",
        ],
      },
    );
    this.host = service.metadata.name;
    this.registerOutputs({ host: this.host });
  }

  private pod(args: DatabaseArgs, config: pulumi.Output<string>) {
    const probe = { tcpSocket: { port: "mariadb" }, timeoutSeconds: 5 };
    const secret = (key: string) => `/run/secrets/mariadb/${key}`;
    return {
      automountServiceAccountToken: false,
      securityContext: restrictedPod(MYSQL),
      // InnoDB writes its dirty pages on the way out.
      terminationGracePeriodSeconds: 120,
      containers: [
        {
          name: "mariadb",
          image: args.image,
          command: ["bash", `/opt/matomo/scripts/${START}`],
          env: [
            { name: "MARIADB_DATABASE", value: DATABASE_NAME },
            { name: "MARIADB_USER_FILE", value: secret("mariadb-username") },
            { name: "MARIADB_PASSWORD_FILE", value: secret("mariadb-password") },
            { name: "MARIADB_ROOT_PASSWORD_FILE", value: secret("mariadb-root-password") },
            // The image's own upgrade of the system tables at a new version.
            { name: "MARIADB_AUTO_UPGRADE", value: "1" },
          ],
          ports: [{ name: "mariadb", containerPort: DATABASE_PORT }],
          // The first start makes the database, a start after a crash reads the redo log.
          startupProbe: { ...probe, periodSeconds: 2, failureThreshold: 300 },
          livenessProbe: { ...probe, periodSeconds: 20, failureThreshold: 3 },
          readinessProbe: { ...probe, periodSeconds: 5, failureThreshold: 2 },
          resources: requestsAndLimits(`100m/${half(args.memory)}`, `1/${args.memory}`),
          securityContext: restrictedContainer,
          volumeMounts: [
            { name: "data", mountPath: "/var/lib/mysql" },
            { name: "config", mountPath: "/etc/mysql/conf.d", readOnly: true },
            { name: "scripts", mountPath: "/opt/matomo/scripts", readOnly: true },
            { name: "first-start", mountPath: "/docker-entrypoint-initdb.d", readOnly: true },
            { name: "credentials", mountPath: "/run/secrets/mariadb", readOnly: true },
            { name: "run", mountPath: "/run/mysqld" },
            { name: "tmp", mountPath: "/tmp" },
          ],
        },
      ],
      volumes: [
        configFiles("config", config, 0o444, [OPTIONS]),
        configFiles("scripts", config, 0o555, [START]),
        configFiles("first-start", config, 0o555, [MADE]),
        secretFiles("credentials", args.credentials.name, [
          "mariadb-username",
          "mariadb-password",
          "mariadb-root-password",
        ]),
        scratch("run", "16Mi"),
        scratch("tmp", "1Gi"),
      ],
    };
  }
}
