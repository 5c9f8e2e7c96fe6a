/**
 * One resource of the stack as the rules see it: what kind of object it is, what it is called and
 * where its data is. Kinds are told by apiVersion and kind, never by the SDK's exact type, so that
 * old API groups, CustomResource-typed objects and patches do not slip through.
 */
import { Data, readProperties, View } from "./data";

/** A resource in the form in which the SDK passes it to resource and to stack rules. */
export interface RawResource {
  type: string;
  urn: string;
  name: string;
  props: Record<string, unknown>;
  opts?: { protect?: boolean };
  provider?: { props: Record<string, unknown> };
  propertyDependencies?: Record<string, { urn: string }[]>;
}

/** API groups under which a kind is, or was, served. A kind that is not listed has any group. */
const GROUPS: Record<string, string[]> = {
  Deployment: ["apps", "extensions"],
  StatefulSet: ["apps"],
  DaemonSet: ["apps", "extensions"],
  ReplicaSet: ["apps", "extensions"],
  ReplicationController: [""],
  Job: ["batch"],
  CronJob: ["batch"],
  Pod: [""],
  Service: [""],
  ConfigMap: [""],
  Secret: [""],
  Namespace: [""],
  ServiceAccount: [""],
  PersistentVolume: [""],
  PersistentVolumeClaim: [""],
  NetworkPolicy: ["networking.k8s.io", "extensions"],
  PodDisruptionBudget: ["policy"],
  HorizontalPodAutoscaler: ["autoscaling"],
  ScaledObject: ["keda.sh"],
  RoleBinding: ["rbac.authorization.k8s.io"],
  ClusterRoleBinding: ["rbac.authorization.k8s.io"],
};

export class KubeObject {
  readonly urn: string;
  readonly type: string;
  readonly kind: string;
  readonly group: string;
  readonly version: string;
  readonly isProtected: boolean;
  readonly view: View;
  /** "Deployment matomo/web": the object in every message. */
  readonly words: string;
  /** Another resource that a property's value comes from, by property. */
  readonly comesFrom: Record<string, string[]>;
  private readonly meta: View;
  private readonly pulumiName: string;
  private readonly providerNamespace: View;

  constructor(raw: RawResource) {
    const data = readProperties(raw.props);
    const [apiVersion, kind] = apiVersionAndKind(raw.type, data);
    const slash = apiVersion.indexOf("/");
    this.urn = raw.urn;
    this.type = raw.type;
    this.kind = kind;
    this.group = slash < 0 ? "" : apiVersion.slice(0, slash);
    this.version = apiVersion.slice(slash + 1);
    this.isProtected = raw.opts?.protect === true;
    this.words = inWords(raw, kind, data);
    this.view = new View(data, this.words, "", raw.type.endsWith("Patch"));
    this.meta = new View(data, this.words).at("metadata");
    this.comesFrom = Object.fromEntries(
      Object.entries(raw.propertyDependencies ?? {}).map(([k, on]) => [k, on.map((r) => r.urn)]),
    );
    const provider = readProperties(raw.provider?.props ?? {});
    this.providerNamespace = new View(provider, this.words, "provider").at("namespace");
    this.pulumiName = raw.name;
  }

  /** Whether this is the built-in kind of that name, under any group that it was served from. */
  is(...kinds: string[]): boolean {
    return (
      this.type.startsWith("kubernetes:") &&
      kinds.some((kind) => kind === this.kind && (GROUPS[kind]?.includes(this.group) ?? true))
    );
  }

  /** metadata.name; a program that leaves it out gets a name made from the resource's. */
  name(): string {
    return this.meta.at("name").text() ?? this.pulumiName;
  }

  /** metadata.namespace, else the provider's default, else `default`. */
  namespace(): string {
    return this.meta.at("namespace").text() || this.providerNamespace.text() || "default";
  }

  /** `namespace/name`, as settings name an object. */
  key(): string {
    return `${this.namespace()}/${this.name()}`;
  }
}

function apiVersionAndKind(type: string, data: Data): [string, string] {
  const [, group = "", token = ""] = type.split(":");
  const view = new View(data, type);
  const given = (key: string) => (view.at(key).isKnown ? view.at(key).text() : undefined);
  const apiVersion = given("apiVersion") ?? group.replace(/^core\//, "");
  return [apiVersion, given("kind") ?? token.replace(/Patch$/, "")];
}

function inWords(raw: RawResource, kind: string, data: Data): string {
  const meta = new View(data, "").at("metadata");
  const known = (key: string) => (meta.at(key).isKnown ? meta.at(key).text() : undefined);
  const name = known("name") ?? raw.name;
  const namespace = known("namespace");
  return `${kind} ${namespace ? `${namespace}/` : ""}${name}`;
}
