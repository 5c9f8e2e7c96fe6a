/**
 * Matomo itself: Apache and PHP, one replica.
 *
 * Objects: Deployment and Service `matomo`, ServiceAccount `matomo`, ConfigMaps `matomo-config`
 * and `matomo-scripts`. Code comes from the image at each start, only state is on the volume
 * (design decision 1, incident 20); one volume that one node may attach means Recreate (decision 2,
 * incident 13); nothing waits for a wizard (decision 3, incident 9).
 */
import { Deployment } from "@pulumi/kubernetes/apps/v1";
import { ConfigMap, Service, ServiceAccount } from "@pulumi/kubernetes/core/v1";
import * as pulumi from "@pulumi/pulumi";
import type { MountedSecret } from "./credentials";
import { NAMES, objectMeta, selectorLabels, serviceMeta } from "./labels";
import {
  configFiles,
  mountChecksum,
  requestsAndLimits,
  restrictedContainer,
  restrictedPod,
  ROLLOUT_SECONDS,
  ROLLOUT_TIMEOUTS,
  scratch,
  scriptFiles,
  secretFiles,
  WWW_DATA,
} from "./pods";
import { half } from "./quantity";
import { type RenderArgs, webConfig } from "./web-config";

/** Ports of the web pod: for the ingress, for the backup, for pods of the namespace. */
export const SITE_PORT = 8080;
export const STATE_PORT = 8081;
export const INTERNAL_PORT = 8082;
/** The Service's port for the ingress, by the contract. */
export const SERVICE_PORT = 80;

const SCRIPTS = [
  "apache.conf",
  "bootstrap.php",
  "container.php",
  "install.php",
  "install-config.php",
  "install-database.php",
  "install-privacy.php",
  "install-site.php",
  "layout.sh",
  "state-export.php",
  "web-start.sh",
];

export interface WebArgs extends RenderArgs {
  image: string;
  /** Memory limit, for example 1Gi. */
  memory: string;
  /** The claim that holds the state. */
  claim: pulumi.Input<string>;
  siteCredentials: MountedSecret;
  databaseCredentials: MountedSecret;
  backupCredentials: MountedSecret;
}

export class Web extends pulumi.ComponentResource {
  /** Host name inside the namespace. */
  readonly host: pulumi.Output<string>;

  constructor(
    name: string,
    private readonly args: WebArgs,
    opts: pulumi.ComponentResourceOptions,
  ) {
    super("matomo:index:Web", name, {}, opts);
    const config = webConfig(args);
    const scripts = scriptFiles(...SCRIPTS);
    const configMap = this.configMap("config", NAMES.config, config);
    const scriptMap = this.configMap("scripts", NAMES.scripts, scripts);
    const account = new ServiceAccount(
      "account",
      { metadata: objectMeta(NAMES.web, "web"), automountServiceAccountToken: false },
      { parent: this },
    );
    const service = this.service();
    const { siteCredentials, databaseCredentials, backupCredentials } = args;
    const secrets = [siteCredentials, databaseCredentials, backupCredentials];
    new Deployment(
      "server",
      {
        metadata: objectMeta(NAMES.web, "web"),
        spec: {
          replicas: 1,
          strategy: { type: "Recreate" },
          revisionHistoryLimit: 3,
          progressDeadlineSeconds: ROLLOUT_SECONDS,
          selector: { matchLabels: selectorLabels("web") },
          template: {
            metadata: {
              labels: selectorLabels("web"),
              annotations: mountChecksum(config, scripts, ...secrets.map(({ data }) => data)),
            },
            spec: {
              serviceAccountName: account.metadata.name,
              automountServiceAccountToken: false,
              securityContext: restrictedPod(WWW_DATA),
              // Apache answers what it has accepted (GracefulShutdownTimeout) before it goes.
              terminationGracePeriodSeconds: 45,
              initContainers: this.initContainers(),
              containers: [this.server()],
              volumes: this.volumes(configMap, scriptMap),
            },
          },
        },
      },
      { parent: this, dependsOn: [service], customTimeouts: ROLLOUT_TIMEOUTS },
    );
    this.host = service.metadata.name;
    this.registerOutputs({ host: this.host });
  }

  private configMap(name: string, mapName: string, data: Record<string, pulumi.Input<string>>) {
    const metadata = objectMeta(mapName, "web");
    return new ConfigMap(name, { metadata, data }, { parent: this }).metadata.name;
  }

  private service(): Service {
    return new Service(
      "service",
      {
        metadata: serviceMeta(NAMES.web, "web"),
        spec: {
          selector: selectorLabels("web"),
          ports: [
            { name: "http", port: SERVICE_PORT, targetPort: "http" },
            { name: "state", port: STATE_PORT, targetPort: "state" },
            { name: "internal", port: INTERNAL_PORT, targetPort: "internal" },
          ],
        },
      },
      { parent: this },
    );
  }

  private initContainers() {
    const common = {
      image: this.args.image,
      securityContext: restrictedContainer,
      // The init containers run alone, so each may take what the server takes later.
      resources: this.resources(),
    };
    const scripts = "/opt/matomo/scripts";
    return [
      {
        ...common,
        name: "layout",
        command: ["bash", `${scripts}/layout.sh`],
        volumeMounts: this.mounts(),
      },
      {
        ...common,
        name: "install",
        command: ["php", `${scripts}/install.php`],
        env: [{ name: "PHP_INI_SCAN_DIR", value: ":/opt/matomo/config" }],
        volumeMounts: this.mounts("site-credentials", "database-credentials"),
      },
    ];
  }

  private server() {
    const headers = [
      { name: "Host", value: this.args.hosts[0] },
      // With force_ssl a plain request would only be sent to https (design decision 15).
      { name: "X-Forwarded-Proto", value: "https" },
    ];
    const get = (path: string) => ({ path, port: "internal", httpHeaders: headers });
    return {
      name: "web",
      image: this.args.image,
      command: ["bash", "/opt/matomo/scripts/web-start.sh"],
      env: [{ name: "PHP_INI_SCAN_DIR", value: ":/opt/matomo/config" }],
      ports: [
        { name: "http", containerPort: SITE_PORT },
        { name: "state", containerPort: STATE_PORT },
        { name: "internal", containerPort: INTERNAL_PORT },
      ],
      // The first request fills the caches, so that no visitor pays for them.
      startupProbe: {
        httpGet: get("/index.php"),
        timeoutSeconds: 30,
        periodSeconds: 2,
        failureThreshold: 150,
      },
      livenessProbe: { tcpSocket: { port: "http" }, timeoutSeconds: 5, periodSeconds: 20 },
      // Without parameters the tracker answers without the database.
      readinessProbe: { httpGet: get("/matomo.php"), timeoutSeconds: 5, periodSeconds: 5 },
      resources: this.resources(),
      securityContext: restrictedContainer,
      volumeMounts: this.mounts("site-credentials", "database-credentials", "backup-credentials"),
    };
  }

  private resources() {
    const { memory } = this.args;
    return requestsAndLimits(`100m/${half(memory)}`, `2/${memory}`);
  }

  private mounts(...secrets: string[]) {
    return [
      { name: "state", mountPath: "/state" },
      { name: "site", mountPath: "/var/www/html" },
      { name: "tmp", mountPath: "/tmp" },
      { name: "scripts", mountPath: "/opt/matomo/scripts", readOnly: true },
      { name: "config", mountPath: "/opt/matomo/config", readOnly: true },
      ...secrets.map((name) => ({
        name,
        mountPath: `/run/secrets/${SECRET_FOLDERS[name]}`,
        readOnly: true,
      })),
    ];
  }

  private volumes(config: pulumi.Output<string>, scripts: pulumi.Output<string>) {
    const { siteCredentials, databaseCredentials, backupCredentials } = this.args;
    return [
      { name: "state", persistentVolumeClaim: { claimName: this.args.claim } },
      scratch("site", "2Gi"),
      scratch("tmp", "2Gi"),
      configFiles("config", config),
      configFiles("scripts", scripts, 0o555),
      secretFiles("site-credentials", siteCredentials.name, [
        "matomo-username",
        "matomo-password",
        "matomo-email",
        "archive-token",
      ]),
      secretFiles("database-credentials", databaseCredentials.name, [
        "mariadb-username",
        "mariadb-password",
      ]),
      secretFiles("backup-credentials", backupCredentials.name, ["state-token"]),
    ];
  }
}

/** Where each Secret is mounted below /run/secrets. */
const SECRET_FOLDERS: Record<string, string> = {
  "site-credentials": "matomo",
  "database-credentials": "mariadb",
  "backup-credentials": "backup",
};
