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
import { versionAnnotation } from "./versions";

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
  "front.conf",
  "install.php",
  "install-config.php",
  "install-database.php",
  "install-plugins.php",
  "install-privacy.php",
  "install-site.php",
  "layout.sh",
  "plugin-front.php",
  "state-export.php",
  "web-start.sh",
];

export interface WebArgs extends RenderArgs {
  image: string;
  /** The image's version, as its tag or the settings tell it. */
  version: string;
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
              annotations: {
                ...mountChecksum(config, scripts, ...secrets.map(({ data }) => data)),
                ...versionAnnotation(args.image, args.version),
              },
            },
            spec: {
              serviceAccountName: account.metadata.name,
              automountServiceAccountToken: false,
              securityContext: restrictedPod(WWW_DATA),
              // An update of the schema that has begun comes to its end. Apache takes seconds: it only
              // answers what it has accepted (GracefulShutdownTimeout).
              terminationGracePeriodSeconds: ROLLOUT_SECONDS,
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

  /**
   * Lays out code and state, brings schema and settings up, and serves. One container for all of it: an
   * init container costs each rollout a second more without a site, as kubelet looks for its end once
   * a second only.
   */
  private server() {
    const headers = [
      { name: "Host", value: this.args.hosts[0] },
      // With force_ssl a plain request would only be sent to https (design decision 15).
      { name: "X-Forwarded-Proto", value: "https" },
    ];
    // kubelet takes 200 to 399 for well; bootstrap.php sees to it that nothing but 200 comes.
    const get = (path: string) => ({ path, port: "internal", httpHeaders: headers });
    const scripts = "/opt/matomo/scripts";
    const steps = [
      // The first process of a container has no default for a signal, and the official image asks for
      // SIGWINCH instead of SIGTERM. A step that runs, an update of the schema for example, is finished;
      // no other is begun. Whoever only waits looks for the file.
      "rm -f /tmp/stopping",
      "trap 'touch /tmp/stopping' TERM INT WINCH",
      "go_on() { [ ! -e /tmp/stopping ] || exit 143; }",
      `bash ${scripts}/layout.sh`,
      "go_on",
      `php ${scripts}/install.php & step=$!`,
      // `wait` returns at a signal, too; when the step has ended, with its status.
      "while kill -0 $step 2>/dev/null; do wait $step || true; done",
      "wait $step",
      "go_on",
      // In the same shell: a new one would have no trap at first, and the signal would be lost.
      `. ${scripts}/web-start.sh`,
    ].join("\n");
    return {
      name: "web",
      image: this.args.image,
      command: ["bash", "-ec", steps],
      env: [{ name: "PHP_INI_SCAN_DIR", value: ":/opt/matomo/config" }],
      ports: [
        { name: "http", containerPort: SITE_PORT },
        { name: "state", containerPort: STATE_PORT },
        { name: "internal", containerPort: INTERNAL_PORT },
      ],
      // The first request fills the caches, so that no visitor pays for them. An update of a large
      // schema may take as long as a rollout may: no probe ends it.
      startupProbe: {
        httpGet: get("/index.php"),
        timeoutSeconds: 30,
        periodSeconds: 1,
        failureThreshold: ROLLOUT_SECONDS,
      },
      livenessProbe: { tcpSocket: { port: "http" }, timeoutSeconds: 5, periodSeconds: 20 },
      // Without parameters the tracker answers without the database. Each second: kubelet asks first
      // when it has not yet noted that the pod has started, and a period later again. Late to fail: there
      // is no other pod, and one that is not ready answers nobody at all.
      readinessProbe: {
        httpGet: get("/matomo.php"),
        timeoutSeconds: 10,
        periodSeconds: 1,
        failureThreshold: 60,
      },
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
