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
import { half } from "./quantity";
import { INTERNAL_PORT } from "./web";

export interface ArchiveArgs {
  /** Matomo's image: curl is in it, and the node has it already. */
  image: string;
  /** Cron schedule, UTC. */
  schedule: string;
  /** Seconds that the job may take. */
  timeout: number;
  /** Limits of its container, which only waits for Matomo. */
  memory: string;
  cpu: string;
  /** The site's primary host name. */
  siteHost: string;
  /** Host name of the web Service. */
  webHost: pulumi.Input<string>;
  credentials: MountedSecret;
}

/** Of the time that the job may take, what is for a web pod that is restarting, in seconds. */
const WAIT_SECONDS = 300;
/** And for the pod itself to start and to end. */
const POD_SECONDS = 100;

/** What Matomo gets of the seconds that the job may take. */
export function runSeconds(timeout: number): number {
  return timeout - WAIT_SECONDS - POD_SECONDS;
}

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
              activeDeadlineSeconds: args.timeout,
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
                        { name: "WAIT_SECONDS", value: String(WAIT_SECONDS) },
                        { name: "TIMEOUT_SECONDS", value: String(runSeconds(args.timeout)) },
                      ],
                      resources: requestsAndLimits(
                        `50m/${half(args.memory)}`,
                        `${args.cpu}/${args.memory}`,
                      ),
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
