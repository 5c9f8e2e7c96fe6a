/**
 * Names and labels of every Kubernetes object, in this one place (design decision 12).
 *
 * A selector without a component label also matched the database (incident 1): no function here
 * returns one.
 */

/** The release's name and namespace: a contract with the live clusters (design.md). */
export const APP = "matomo";
export const NAMESPACE = "matomo";

/** User that owns Matomo's database, by the contract. */
export const DATABASE_USER = "mariadb-admin";

/** What a pod is for. Each is selected by its own label and by nothing else. */
export type Component = "web" | "mariadb" | "archive" | "backup" | "acme-solver";

/** Kubernetes' well-known label with a namespace's own name, set by the API server itself. */
export const NAMESPACE_NAME_LABEL = "kubernetes.io/metadata.name";

/** Selects the pods of one component; immutable on a Deployment and a StatefulSet. */
export function selectorLabels(component: Component): Record<string, string> {
  return {
    "app.kubernetes.io/name": APP,
    "app.kubernetes.io/instance": APP,
    "app.kubernetes.io/component": component,
  };
}

/** Labels of an object that belongs to a component, or to the site as a whole. */
export function objectLabels(component?: Component): Record<string, string> {
  return {
    "app.kubernetes.io/name": APP,
    "app.kubernetes.io/instance": APP,
    ...(component && { "app.kubernetes.io/component": component }),
    "app.kubernetes.io/managed-by": "Pulumi",
  };
}

/** Metadata of a namespaced object of the site. */
export function objectMeta(name: string, component?: Component) {
  return { name, namespace: NAMESPACE, labels: objectLabels(component) };
}

/**
 * Metadata of a Service. It is there before the pods that it leads to, and they are awaited as the
 * workload's own: waiting for its endpoints as well would only cost time.
 */
export function serviceMeta(name: string, component: Component) {
  return { ...objectMeta(name, component), annotations: { "pulumi.com/skipAwait": "true" } };
}

/** Kubernetes names of the contract. */
export const NAMES = {
  web: APP,
  database: `${APP}-mariadb`,
  archive: `${APP}-archive`,
  backup: `${APP}-backup`,
  offsite: `${APP}-offsite`,
  state: `${APP}-state`,
  config: `${APP}-config`,
  scripts: `${APP}-scripts`,
  tls: `${APP}-tls`,
  dataClaim: APP,
  databaseClaim: `data-${APP}-mariadb-0`,
  backupClaim: `${APP}-backup`,
} as const;
