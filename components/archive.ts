/**
 * Matomo's report processing, hourly, over HTTP.
 *
 * Objects: CronJob and ConfigMap `matomo-archive`. No claim is mounted (incident 2), a running
 * archive is never replaced (incident 4), and success is what Matomo says it is (incident 3).
 */
import { CronJob } from "@pulumi/kubernetes/batch/v1";
import { ConfigMap } from "@pulumi/kubernetes/core/v1";
import * as pulumi from "@pulumi/pulumi";
import type { MountedSecret } from "./credentials";
import { NAMES, objectMeta, selectorLabels } from "./labels";
import {
  configFiles,
  mountChecksum,
  requestsAndLimits,
  restrictedContainer,
  restrictedPod,
  scratch,
  scriptFiles,
  secretFiles,
  WWW_DATA,
} from "./pods";
import { INTERNAL_PORT } from "./web";

export interface ArchiveArgs {
  /** Matomo's image: curl is in it, and the node has it already. */
  image: string;
  /** Cron schedule, UTC. */
  schedule: string;
  /** The site's primary host name. */
  siteHost: string;
  /** Host name of the web Service. */
  webHost: pulumi.Input<string>;
  credentials: MountedSecret;
}

/** A run may take this long, in seconds: the next one is due after an hour. */
export const DEADLINE_SECONDS = 3300;
/** What Matomo gets of it; the rest is for a web pod that is restarting. */
const RUN_SECONDS = 2900;

export class Archive extends pulumi.ComponentResource {
  constructor(name: string, args: ArchiveArgs, opts: pulumi.ComponentResourceOptions) {
    super("matomo:index:Archive", name, {}, opts);
    const scripts = scriptFiles("archive.sh");
    const config = new ConfigMap(
      "scripts",
      { metadata: objectMeta(NAMES.archive, "archive"), data: scripts },
      { parent: this },
    );
    new CronJob(
      "job",
      {
        metadata: objectMeta(NAMES.archive, "archive"),
        spec: {
          schedule: args.schedule,
          timeZone: "Etc/UTC",
          concurrencyPolicy: "Forbid",
          startingDeadlineSeconds: 300,
          successfulJobsHistoryLimit: 1,
          failedJobsHistoryLimit: 1,
          jobTemplate: {
            spec: {
              activeDeadlineSeconds: DEADLINE_SECONDS,
              backoffLimit: 0,
              template: {
                metadata: {
                  labels: selectorLabels("archive"),
                  annotations: mountChecksum(scripts, args.credentials.data),
                },
                spec: {
                  restartPolicy: "Never",
                  automountServiceAccountToken: false,
                  securityContext: restrictedPod(WWW_DATA),
                  containers: [
                    {
                      name: "archive",
                      image: args.image,
                      command: ["bash", "/opt/matomo/scripts/archive.sh"],
                      env: [
                        {
                          name: "MATOMO_URL",
                          value: pulumi.interpolate`http://${args.webHost}:${INTERNAL_PORT}`,
                        },
                        { name: "MATOMO_HOST", value: args.siteHost },
                        { name: "TIMEOUT_SECONDS", value: String(RUN_SECONDS) },
                      ],
                      resources: requestsAndLimits("50m/128Mi", "200m/256Mi"),
                      securityContext: restrictedContainer,
                      volumeMounts: [
                        { name: "scripts", mountPath: "/opt/matomo/scripts", readOnly: true },
                        { name: "credentials", mountPath: "/run/secrets/matomo", readOnly: true },
                        { name: "tmp", mountPath: "/tmp" },
                      ],
                    },
                  ],
                  volumes: [
                    configFiles("scripts", config.metadata.name, 0o555),
                    secretFiles("credentials", args.credentials.name, ["archive-token"]),
                    scratch("tmp", "64Mi"),
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
}
