/** The compliant parts that the programs share: each program states only what it is about. */
import { Namespace } from "@pulumi/kubernetes/core/v1";
import { NetworkPolicy } from "@pulumi/kubernetes/networking/v1";
import type { CustomResourceOptions } from "@pulumi/pulumi";

export type Options = CustomResourceOptions;

export const COMPONENT = "app.kubernetes.io/component";

export const labels = (component: string) => ({
  "app.kubernetes.io/name": "shop",
  "app.kubernetes.io/instance": "shop",
  [COMPONENT]: component,
});

/** A namespace that denies by default. */
export function namespace(name: string, options: Options): string {
  new Namespace(name, { metadata: { name } }, options);
  const spec = { podSelector: {}, policyTypes: ["Ingress", "Egress"] };
  new NetworkPolicy("deny", { metadata: { name: "deny", namespace: name }, spec }, options);
  return name;
}

export const container = (more: object = {}) => ({
  name: "main",
  image: "shop/app:1.2.3",
  resources: { requests: { cpu: "10m", memory: "16Mi" }, limits: { memory: "64Mi" } },
  securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
  ...more,
});

export const pod = (more: object = {}) => ({
  automountServiceAccountToken: false,
  securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
  containers: [container()],
  ...more,
});

export const template = (component: string, spec: object = pod()) => ({
  metadata: { labels: labels(component) },
  spec: spec as ReturnType<typeof pod>,
});

export const mounting = (claimName: string, more: object = {}) =>
  pod({ volumes: [{ name: "data", persistentVolumeClaim: { claimName } }], ...more });

/** A CronJob's spec that is bounded, but for what is given. */
export const bounded = (component: string, spec: object = pod(), more: object = {}) => ({
  schedule: "5 * * * *",
  concurrencyPolicy: "Forbid",
  jobTemplate: {
    spec: {
      activeDeadlineSeconds: 600,
      backoffLimit: 2,
      template: template(component, { restartPolicy: "Never", ...spec }),
    },
  },
  ...more,
});
