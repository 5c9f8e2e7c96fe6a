/**
 * Objects of the live cluster as they are: raw JSON over HTTP, with the kinds that the API server
 * itself names. A typed client would drop the fields that its version does not know, and an undo that
 * puts an object back must not.
 */
import { exchange } from "../../components/http";
import { Failure } from "../errors";
import type { Kubeconfig } from "../../components/kubeconfig";
import type { Data } from "../engine";

/** Longest silence of the API server, in milliseconds. */
const TIMEOUT_MS = 60_000;
export const MERGE_PATCH = "application/merge-patch+json";
const APPLY_PATCH = "application/apply-patch+yaml";

/** What tells an object apart. */
export interface Reference {
  apiVersion: string;
  kind: string;
  name: string;
  /** Undefined for one that belongs to no namespace. */
  namespace?: string;
}

/** The API server refused a request. */
export class ApiError extends Failure {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

export function reference(object: Data): Reference {
  const { apiVersion, kind, metadata } = object;
  return { apiVersion, kind, name: metadata.name, namespace: metadata.namespace };
}

/** `Kind/name`, as people call an object. */
export function title({ kind, name }: Pick<Reference, "kind" | "name">): string {
  return `${kind}/${name}`;
}

export class Api {
  private readonly groups = new Map<string, Promise<Map<string, string>>>();

  constructor(private readonly kubeconfig: Kubeconfig) {}

  /** The object, or undefined when it is not there; an unknown kind has no objects. */
  async get(object: Reference): Promise<Data | undefined> {
    const path = await this.path(object);
    return path ? this.optional("GET", `${path}/${object.name}`) : undefined;
  }

  /** All objects of a kind in a namespace. */
  async list(object: Omit<Reference, "name">, selector = ""): Promise<Data[]> {
    const path = await this.path(object);
    if (!path) return [];
    const query = selector && `?labelSelector=${encodeURIComponent(selector)}`;
    const found = await this.optional("GET", `${path}${query}`);
    return ((found?.items as Data[] | null) ?? []).map((item) => ({
      ...{ apiVersion: object.apiVersion, kind: object.kind },
      ...item,
    }));
  }

  async create(object: Data): Promise<Data> {
    return (await this.send("POST", await this.known(reference(object)), object))!;
  }

  /** Puts an object in the place of the live one of the same resourceVersion. */
  async replace(object: Data): Promise<Data> {
    const where = await this.known(reference(object));
    return (await this.send("PUT", `${where}/${object.metadata.name}`, object))!;
  }

  /** Changes fields; `metadata.resourceVersion` in the patch makes sure of the version. */
  async patch(object: Reference, patch: Data): Promise<Data> {
    const where = await this.known(object);
    return (await this.send("PATCH", `${where}/${object.name}`, patch, MERGE_PATCH))!;
  }

  /** Makes an object, or sets what it states of a live one, as this field manager. */
  async apply(object: Data, fieldManager: string): Promise<Data> {
    const where = await this.known(reference(object));
    const path = `${where}/${object.metadata.name}?${new URLSearchParams({ fieldManager })}`;
    return (await this.send("PATCH", path, object, APPLY_PATCH))!;
  }

  /**
   * Reads an object and writes what `next` makes of it, again when somebody else was faster: a
   * controller writes its status at any time. `next` gives undefined when there is nothing to write.
   */
  async revise(
    object: Reference,
    next: (live: Data) => { patch?: Data; replacement?: Data } | undefined,
  ): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const live = await this.get(object);
      if (!live) throw new Failure(`${title(object)} is gone since the plan was made`);
      const { resourceVersion } = live.metadata;
      const { patch, replacement } = next(live) ?? {};
      try {
        if (replacement) await this.replace(replacement);
        if (patch) {
          const metadata = { ...(patch.metadata as Data), resourceVersion };
          await this.patch(object, { ...patch, metadata });
        }
        return;
      } catch (error) {
        if (!(error instanceof ApiError) || error.status !== 409 || attempt === 10) throw error;
      }
    }
  }

  /** Deletes an object with all that it owns; one that is gone already is fine. */
  async delete(object: Reference): Promise<void> {
    const path = await this.path(object);
    if (!path) return;
    const options = { propagationPolicy: "Background" };
    await this.optional("DELETE", `${path}/${object.name}`, options);
  }

  /** Plain text, a pod's log for example. */
  async text(path: string): Promise<string> {
    return (await this.request("GET", path)).body;
  }

  private async known(object: Omit<Reference, "name">): Promise<string> {
    const path = await this.path(object);
    if (!path) throw new Failure(`the cluster knows no ${object.kind} of ${object.apiVersion}`);
    return path;
  }

  private async path({ apiVersion, kind, namespace }: Omit<Reference, "name">) {
    const base = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
    let group = this.groups.get(base);
    if (!group) {
      group = this.discover(base);
      this.groups.set(base, group);
    }
    const plural = (await group).get(kind);
    if (!plural) return undefined;
    return namespace ? `${base}/namespaces/${namespace}/${plural}` : `${base}/${plural}`;
  }

  private async discover(base: string): Promise<Map<string, string>> {
    const found = await this.optional("GET", base);
    const resources = ((found?.resources as Data[]) ?? []).filter(
      ({ name }) => !name.includes("/"),
    );
    return new Map(resources.map(({ kind, name }) => [kind as string, name as string]));
  }

  private async optional(method: string, path: string, body?: Data): Promise<Data | undefined> {
    try {
      return await this.send(method, path, body);
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return undefined;
      throw error;
    }
  }

  private async send(method: string, path: string, body?: Data, type = "application/json") {
    const answer = await this.request(method, path, body && JSON.stringify(body), type);
    return JSON.parse(answer.body) as Data;
  }

  private async request(method: string, path: string, body?: string, type?: string) {
    const url = new URL(path, this.kubeconfig.server);
    const { headers, ...options } = this.kubeconfig.requestOptions();
    // Without its length Node would leave the body of a DELETE to be taken for the next request.
    const sent = {
      ...headers,
      ...(body !== undefined && {
        "content-type": type,
        "content-length": Buffer.byteLength(body),
      }),
    };
    const asked = exchange(url, { ...options, method, headers: sent, timeout: TIMEOUT_MS }, body);
    const answer = await asked.catch(({ message }: Error) => {
      throw new Failure(`the cluster at ${url.origin} cannot be reached: ${message}`);
    });
    if (answer.status >= 300) {
      throw new ApiError(
        answer.status,
        `the cluster answered ${answer.status} to ${method} ${url.pathname}: ${messageOf(answer.body)}`,
      );
    }
    return answer;
  }
}

/** The words of an API server's Status; values of a refused object are not among them. */
function messageOf(body: string): string {
  try {
    return (JSON.parse(body) as { message?: string }).message ?? "no reason given";
  } catch {
    return "no reason given";
  }
}
