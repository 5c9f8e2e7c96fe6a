/** One object, or a few, that a rule speaks about: the example of its message in policy/README.md. */
import type { RawResource } from "../../../policy/core/objects";
import {
  budget,
  change,
  claim,
  claimVolume,
  kube,
  podSpec,
  resource,
  service,
  workload,
} from "./objects";

const C = "spec.template.spec.containers[0]";
const web = workload("Deployment", "web");
const mounting = (kind: string, name: string) =>
  workload(kind, name, podSpec({ volumes: [claimVolume("data")] }), {
    strategy: { type: "Recreate" },
  });

export const EXAMPLES: Record<string, RawResource[]> = {
  "rwo-volume-not-shared": [mounting("Deployment", "web"), mounting("CronJob", "archive")],
  "selector-carries-component": [
    service("web", { selector: { "app.kubernetes.io/name": "shop" } }),
  ],
  "service-selects-one-component": [web, service("frontend")],
  "rwo-workload-recreates": [change(mounting("Deployment", "web"), "spec.strategy", undefined)],
  "disruption-budget-allows-drain": [
    web,
    budget("web", { maxUnavailable: undefined, minAvailable: 1 }),
  ],
  "cron-job-is-bounded": [
    change(workload("CronJob", "archive"), "spec.concurrencyPolicy", "Replace"),
  ],
  "image-is-pinned": [change(web, `${C}.image`, "matomo:latest")],
  "pods-are-restricted": [change(web, `${C}.securityContext.allowPrivilegeEscalation`, true)],
  "token-only-where-bound": [
    change(web, "spec.template.spec.automountServiceAccountToken", undefined),
  ],
  "containers-declare-resources": [change(web, `${C}.resources.limits`, undefined)],
  "probes-state-timeouts": [change(web, `${C}.livenessProbe`, { tcpSocket: { port: 80 } })],
  "no-plain-secrets": [change(web, `${C}.env`, [{ name: "DB_PASSWORD", value: "hunter2" }])],
  "php-memory-fits": [
    kube("v1", "ConfigMap", "php", { data: { "php.ini": "memory_limit = 2G\n" } }),
    workload(
      "Deployment",
      "web",
      podSpec({
        containers: [
          {
            name: "web",
            volumeMounts: [{ name: "php", mountPath: "/usr/local/etc/php/conf.d" }],
            resources: { limits: { memory: "1Gi" } },
          },
        ],
        volumes: [{ name: "php", configMap: { name: "php" } }],
      }),
    ),
  ],
  "data-is-protected": [claim("data")],
  "network-default-deny": [web],
  "workloads-are-analysed": [resource("kubernetes:helm.sh/v3:Release", "blog", {})],
};
