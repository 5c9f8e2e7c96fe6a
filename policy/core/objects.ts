/**
 * One resource of the stack as the rules see it: what kind of object it is, what it is called and
 * where its data is. Kinds are told by apiVersion and kind, never by the SDK's exact type, so that
 * old API groups, CustomResource-typed objects and patches do not slip through.
 */
import { Data, readProperties, View } from "./data";
import { orElse } from "./logic";

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

/** The built-in kinds that rules know, with the API groups under which each is, or was, served. */
const GROUPS = {
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
  PodTemplate: [""],
  ControllerRevision: ["apps"],
  Release: ["helm.sh"],
} satisfies Record<string, string[]>;

export type Kind = keyof typeof GROUPS;

export class KubeObject {
  readonly urn: string;
  readonly type: string;
  readonly pulumiName: string;
  readonly kind: string;
  readonly group: string;
  readonly version: string;
  readonly isProtected: boolean;
  readonly view: View;
  /** "Deployment matomo/web": the object in every message. */
  readonly words: string;
  /** The URNs of the resources that values of its spec come from. */
  readonly specFrom: string[];
  private readonly meta: View;
  private readonly providerNamespace: View;

  constructor(raw: RawResource) {
    const data = readProperties(raw.props);
    const [apiVersion, kind] = apiVersionAndKind(raw.type, data);
    const [version, group = ""] = apiVersion.split("/").reverse();
    this.urn = raw.urn;
    this.type = raw.type;
    this.pulumiName = raw.name;
    this.kind = kind;
    this.group = group;
    this.version = version;
    this.isProtected = raw.opts?.protect === true;
    // Helm's own objects have no metadata: their name and namespace stand beside the chart.
    const meta = (owner: string) =>
      new View(data, owner).at(...(group === "helm.sh" ? [] : ["metadata"]));
    this.words = inWords(kind, raw.name, meta(kind));
    this.view = new View(data, this.words, "", raw.type.endsWith("Patch"));
    this.meta = meta(this.words);
    this.specFrom = (raw.propertyDependencies?.spec ?? []).map(({ urn }) => urn);
    const provider = readProperties(raw.provider?.props);
    this.providerNamespace = new View(provider, this.words, "provider").at("namespace");
  }

  /** Whether this is the built-in kind of that name, under any group that it was served from. */
  is(...kinds: Kind[]): boolean {
    return (
      this.type.startsWith("kubernetes:") &&
      kinds.some((kind) => kind === this.kind && GROUPS[kind].includes(this.group))
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
  const [token, group = ""] = type.split(":").reverse();
  const view = new View(data, type);
  const given = (key: string) => orElse(() => view.at(key).text(), undefined);
  const apiVersion = given("apiVersion") ?? group.replace(/^core\//, "");
  return [apiVersion, given("kind") ?? token.replace(/Patch$/, "")];
}

function inWords(kind: string, pulumiName: string, meta: View): string {
  const known = (key: string) => orElse(() => meta.at(key).text(), undefined);
  const name = known("name") ?? pulumiName;
  const namespace = known("namespace");
  return `${kind} ${namespace ? `${namespace}/` : ""}${name}`;
}
