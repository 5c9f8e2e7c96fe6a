/** Compliant objects for tables: each row changes the one thing that it is about. */
import type { RawResource } from "../../../policy/core/objects";
import { set, Tree } from "./edit";

export const COMPONENT = "app.kubernetes.io/component";

/** A resource as the engine passes it. The Pulumi name is the object's own. */
export function resource(type: string, name: string, props: Tree, more: Tree = {}): RawResource {
  return { type, urn: `urn:pulumi:test::test::${type}::${name}`, name, props, ...more };
}

/** A Kubernetes object; `apiVersion` decides the Pulumi type. */
export function kube(apiVersion: string, kind: string, name: string, body: Tree): RawResource {
  const group = apiVersion.includes("/") ? apiVersion : `core/${apiVersion}`;
  const metadata = { name, namespace: "shop", ...body.metadata };
  return resource(`kubernetes:${group}:${kind}`, name, { ...body, apiVersion, kind, metadata });
}

export function container(name = "main"): Tree {
  return {
    name,
    image: "registry:5000/shop/app:1.2.3",
    resources: { requests: { cpu: "50m", memory: "64Mi" }, limits: { memory: "128Mi" } },
    securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
  };
}

export function podSpec(more: Tree = {}): Tree {
  return {
    automountServiceAccountToken: false,
    securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
    containers: [container()],
    ...more,
  };
}

/** A claim as a pod's volume. */
export const claimVolume = (claimName: string): Tree => ({
  name: "data",
  persistentVolumeClaim: { claimName },
});

function labelled(component: string) {
  const labels = { [COMPONENT]: component };
  return { labels, selector: { matchLabels: labels } };
}

/** A workload of any kind whose pods have the component of its name. */
export function workload(kind: string, name: string, pod: Tree = podSpec(), spec: Tree = {}) {
  const { labels, selector } = labelled(name);
  const template = { metadata: { labels }, spec: pod };
  switch (kind) {
    case "Pod":
      return kube("v1", kind, name, { metadata: { labels }, spec: { ...pod, ...spec } });
    case "ReplicationController":
      return kube("v1", kind, name, { spec: { selector: labels, template, ...spec } });
    case "Job":
      return kube("batch/v1", kind, name, { spec: { template, ...spec } });
    case "CronJob":
      return kube("batch/v1", kind, name, {
        spec: {
          schedule: "5 * * * *",
          concurrencyPolicy: "Forbid",
          jobTemplate: { spec: { activeDeadlineSeconds: 600, backoffLimit: 2, template } },
          ...spec,
        },
      });
    case "StatefulSet":
      return kube("apps/v1", kind, name, {
        spec: { serviceName: name, selector, template, ...spec },
      });
    default:
      return kube("apps/v1", kind, name, { spec: { selector, template, ...spec } });
  }
}

export function claim(name: string, spec: Tree = {}, metadata: Tree = {}): RawResource {
  return kube("v1", "PersistentVolumeClaim", name, {
    metadata,
    spec: { accessModes: ["ReadWriteOnce"], ...spec },
  });
}

export function volume(name: string, spec: Tree = {}, more: Tree = {}): RawResource {
  const metadata = { name };
  const body = { apiVersion: "v1", kind: "PersistentVolume", metadata, spec };
  return resource("kubernetes:core/v1:PersistentVolume", name, body, more);
}

export function service(name: string, spec: Tree = {}): RawResource {
  return kube("v1", "Service", name, { spec: { selector: { [COMPONENT]: name }, ...spec } });
}

export function budget(name: string, spec: Tree = {}): RawResource {
  return kube("policy/v1", "PodDisruptionBudget", `${name}-budget`, {
    spec: { selector: labelled(name).selector, maxUnavailable: 1, ...spec },
  });
}

export function policy(name: string, spec: Tree): RawResource {
  return kube("networking.k8s.io/v1", "NetworkPolicy", name, { spec });
}

/** A copy with one place of its properties changed. */
export function change(raw: RawResource, path: string, value: unknown): RawResource {
  return { ...raw, props: set(raw.props, path, value) };
}
