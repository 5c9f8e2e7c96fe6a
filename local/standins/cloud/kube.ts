/**
 * The API server as the cloud stand-in's controllers see it: watches that survive its restarts, and
 * the few calls that they make. On the well-kept client library; nothing here is about DigitalOcean.
 */
import {
  CoreV1Api,
  CustomObjectsApi,
  KubeConfig,
  KubernetesObjectApi,
  NetworkingV1Api,
  PatchStrategy,
  StorageV1Api,
  makeInformer,
  setHeaderOptions,
} from "@kubernetes/client-node";
import type {
  Informer,
  KubernetesListObject,
  KubernetesObject,
  ObjectCache,
  V1Secret,
} from "@kubernetes/client-node";
import { WorkQueue } from "./queue";

/** Wait before a broken watch is begun again, in milliseconds. */
const RECONNECT = 500;

export const MERGE = setHeaderOptions("Content-Type", PatchStrategy.MergePatch);

export class Kube {
  readonly core: CoreV1Api;
  readonly storage: StorageV1Api;
  readonly networking: NetworkingV1Api;
  readonly custom: CustomObjectsApi;
  readonly objects: KubernetesObjectApi;
  readonly queue: WorkQueue;
  private readonly config = new KubeConfig();
  private readonly stops: (() => Promise<void>)[] = [];
  private watches = 0;
  private closed = false;

  constructor(kubeconfig: string) {
    this.config.loadFromFile(kubeconfig);
    this.core = this.config.makeApiClient(CoreV1Api);
    this.storage = this.config.makeApiClient(StorageV1Api);
    this.networking = this.config.makeApiClient(NetworkingV1Api);
    this.custom = this.config.makeApiClient(CustomObjectsApi);
    this.objects = KubernetesObjectApi.makeApiClient(this.config);
    this.queue = new WorkQueue({
      minWait: 200,
      maxWait: 5_000,
      onError: (key, error, failures) => {
        if (failures === 0) log(`${key}: ${error.message.split("\n")[0]}`);
      },
    });
  }

  /**
   * Calls `reconcile` with the newest state of each object of a kind, at first sight and after each
   * change, and again while it fails. Objects that are gone are not reported.
   */
  watch<T extends KubernetesObject>(
    path: string,
    list: () => Promise<KubernetesListObject<T>>,
    reconcile: (object: T) => Promise<void>,
  ): Watched<T> {
    const informer = this.inform(makeInformer(this.config, path, list));
    // Two controllers may watch one kind, each with work of its own on the same object.
    const controller = ++this.watches;
    const enqueue = (object: T): void => {
      const { name = "", namespace } = object.metadata ?? {};
      this.queue.add(`${path}/${namespace ?? ""}/${name} (controller ${controller})`, async () => {
        const newest = informer.get(name, namespace);
        if (newest) await reconcile(newest);
      });
    };
    informer.on("add", enqueue);
    informer.on("update", enqueue);
    return { cache: informer, again: (which) => informer.list().filter(which).forEach(enqueue) };
  }

  /** Like `watch`, for a kind that is served by a custom resource definition. */
  watchCustom<T extends KubernetesObject>(
    kind: CustomKind,
    reconcile: (object: T) => Promise<void>,
  ): Watched<T> {
    const list = () => this.custom.listClusterCustomObject(kind);
    const { group, version, plural } = kind;
    return this.watch<T>(`/apis/${group}/${version}/${plural}`, list, reconcile);
  }

  /** Calls `gone` with each labelled Secret that is deleted. */
  watchSecrets(labelSelector: string, gone: (secret: V1Secret) => void): void {
    const list = () => this.core.listSecretForAllNamespaces({ labelSelector });
    this.inform(makeInformer(this.config, "/api/v1/secrets", list, labelSelector)).on(
      "delete",
      gone,
    );
  }

  /** Merges `status` into a custom object's status, or into that of any kind outside the core. */
  async patchStatus(kind: CustomKind, object: KubernetesObject, status: object): Promise<void> {
    const { name = "", namespace } = object.metadata ?? {};
    const request = { ...kind, name, body: { status } };
    if (namespace) {
      await this.custom.patchNamespacedCustomObjectStatus({ ...request, namespace }, MERGE);
    } else {
      await this.custom.patchClusterCustomObjectStatus(request, MERGE);
    }
  }

  /** Starts an informer, and again when it gave up: the connection broke, or the kind is not served. */
  private inform<T extends KubernetesObject>(informer: InformerCache<T>): InformerCache<T> {
    const start = (): void => void (this.closed || informer.start());
    informer.on("error", () => this.closed || setTimeout(start, RECONNECT));
    // Its callbacks are added by the caller, who has it by then.
    queueMicrotask(start);
    this.stops.push(() => informer.stop());
    return informer;
  }

  async close(): Promise<void> {
    this.closed = true;
    this.queue.close();
    await Promise.all(this.stops.map((stop) => stop()));
  }
}

type InformerCache<T extends KubernetesObject> = Informer<T> & ObjectCache<T>;

export interface Watched<T> {
  cache: ObjectCache<T>;
  /** Reconciles the matching objects once more, for a change that is outside of them. */
  again(which: (object: T) => boolean): void;
}

export interface CustomKind {
  group: string;
  version: string;
  plural: string;
}

/** The answer of a call, or undefined when the API server has no such object. */
export function ifFound<T>(call: Promise<T>): Promise<T | undefined> {
  return call.catch(without<T>(404));
}

/** Makes an object that another run may have made already. */
export async function createOnce(call: Promise<unknown>): Promise<void> {
  await call.catch(without(409));
}

export function log(message: string): void {
  process.stderr.write(`${new Date().toISOString()} ${message}\n`);
}

function without<T>(status: number): (error: { code?: number }) => T | undefined {
  return (error) => {
    if (error.code === status) return undefined;
    throw error;
  };
}
