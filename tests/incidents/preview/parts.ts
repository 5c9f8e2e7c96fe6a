/** The compliant parts that the programs share: each program states only what it is about. */
import { Deployment } from "@pulumi/kubernetes/apps/v1";
import { Namespace, PersistentVolumeClaim } from "@pulumi/kubernetes/core/v1";
import { NetworkPolicy } from "@pulumi/kubernetes/networking/v1";
import { type CustomResourceOptions, type Output, unsecret } from "@pulumi/pulumi";
import { RandomPassword } from "@pulumi/random/randomPassword";

export type Options = CustomResourceOptions;

export const COMPONENT = "app.kubernetes.io/component";

export const labels = (component: string) => ({
  "app.kubernetes.io/name": "shop",
  "app.kubernetes.io/instance": "shop",
  [COMPONENT]: component,
});

/**
 * A namespace that denies by default; its name once it is made. The engine waits for what it has begun
 * when a rule refuses an object, and the provider tries an object without its namespace again for a
 * minute: what is in the namespace is not to be begun before it.
 */
export function namespace(name: string, options: Options): Output<string> {
  const made = new Namespace(name, { metadata: { name } }, options);
  const spec = { podSelector: {}, policyTypes: ["Ingress", "Egress"] };
  const metadata = { name: "deny", namespace: made.metadata.name };
  new NetworkPolicy("deny", { metadata, spec }, options);
  return made.metadata.name;
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

/** What no controller of this cluster will ever make ready: `up` is not to wait for it. */
export const unawaited = { annotations: { "pulumi.com/skipAwait": "true" } };

/** A claim's spec. */
export const claimSpec = (mode = "ReadWriteOnce") => ({
  accessModes: [mode],
  resources: { requests: { storage: "1Gi" } },
});

/** A value that only `up` will know. */
export function later<T>(value: T): Output<T> {
  const seed = new RandomPassword("seed", { length: 5, special: false }, { protect: true });
  return unsecret(seed.result).apply(() => value);
}

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

/** A Deployment that rolls over, then the claim that it mounts. */
export function rolledBeforeClaim(namespace: Output<string>, mode: string, options: Options): void {
  const spec = {
    selector: { matchLabels: labels("web") },
    template: template("web", mounting("data")),
  };
  const web = new Deployment("web", { metadata: { name: "web", namespace }, spec }, options);
  new PersistentVolumeClaim(
    "data",
    { metadata: { name: "data", namespace }, spec: claimSpec(mode) },
    { ...options, protect: true, dependsOn: web },
  );
}

/** A Deployment whose image only `up` will know. */
export function imageKnownLater(namespace: Output<string>, image: string, options: Options): void {
  const spec = {
    selector: { matchLabels: labels("web") },
    template: template("web", pod({ containers: [container({ image: later(image) })] })),
  };
  new Deployment("web", { metadata: { name: "web", namespace, ...unawaited }, spec }, options);
}
