/**
 * Bench of the incidents on a cluster: the deployed stack, a namespace for the broken form, copies of
 * the program's own live objects with one thing changed, and waiting that the API server ends.
 */
import { KubeConfig, type V1Pod, Watch } from "@kubernetes/client-node";
import { after, before } from "mocha";
import { isReady } from "../../../fleet/web-pods";
import { type Live, type Site, sharedSite } from "../../api/harness";
import { milliseconds, seconds, type Wait, within } from "../../waits";
import { Kubelet } from "./kubelet";

/** Before a watch that ended is begun again, in milliseconds. */
const AGAIN = 500;

/** A watch that begins with all that is there, and then says so by a bookmark. */
export const FROM_THE_START = {
  sendInitialEvents: true,
  resourceVersionMatch: "NotOlderThan",
  allowWatchBookmarks: true,
};

/** Changes one thing of an object that is the program's own otherwise. */
export type Change = (object: Live) => void;

/** A namespace beside the stack's, on the stack's cluster. */
export class Bench {
  /** Nodes that wait for volumes; only with `waitingNodes`. */
  kubelet!: Kubelet;
  readonly config = new KubeConfig();

  constructor(
    /** The stack as `pulumi up` deployed it: left as it was found. */
    readonly site: Site,
    readonly namespace: string,
  ) {
    this.config.loadFromFile(site.cluster.kubeconfig);
  }

  /** Runs kubectl in the incident's namespace and gives what it prints. */
  kubectl(...args: string[]): Promise<string> {
    return this.site.kubectl("--namespace", this.namespace, ...args);
  }

  /** What kubectl prints when it fails. */
  async refused(...args: string[]): Promise<string> {
    const done = this.kubectl(...args).then((printed) => `it succeeded: ${printed}`);
    return done.catch((error: { stderr?: string }) => {
      if (error.stderr === undefined) throw error;
      return error.stderr;
    });
  }

  async create(...objects: Live[]): Promise<void> {
    const list = { apiVersion: "v1", kind: "List", items: objects };
    const args = ["create", "--namespace", this.namespace, "-f", "-"];
    await this.site.cluster.kubectl(args, JSON.stringify(list));
  }

  /** One of the stack's live objects as it would be made here, with `change` made to it. */
  async copy(kind: string, name: string, change: Change = () => undefined): Promise<Live> {
    const { apiVersion, metadata, spec, kind: realKind } = await this.site.get(kind, name);
    delete spec?.volumeName;
    const copy: Live = {
      apiVersion,
      kind: realKind,
      metadata: { name, namespace: this.namespace, labels: metadata!.labels },
      ...(spec && { spec }),
    };
    change(copy);
    return copy;
  }

  /** The accounts and claims that copies of the stack's workloads need. */
  async createSurroundings(): Promise<void> {
    await this.create(
      await this.copy("serviceaccount", "matomo"),
      await this.copy("serviceaccount", "matomo-backup"),
      await this.copy("pvc", "matomo"),
      await this.copy("pvc", "matomo-backup"),
    );
  }

  /**
   * Waits until `found` finds what it looks for among the objects at an API path. They are watched:
   * nothing is asked twice, nothing is missed in between. What is there already is judged as a whole.
   * What `found` throws is told when the time is over, as is why a watch ended.
   */
  async seen<T>(
    path: string,
    what: string,
    found: (objects: Live[]) => T | undefined,
    wait: Wait = "controllerActs",
  ): Promise<T> {
    const objects = new Map<string, Live>();
    const [where, query] = path.split("?");
    const parameters = { ...Object.fromEntries(new URLSearchParams(query)), ...FROM_THE_START };
    let cause: unknown;
    let isOver = false;
    let connection: AbortController | undefined;
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise<T>((resolve, reject) => {
        timer = setTimeout(() => {
          const last = [...objects.values()].map(({ metadata, reason, message, status }) =>
            JSON.stringify({ name: metadata?.name, reason, message, status }),
          );
          const why = cause === undefined ? "" : `; the last look: ${String(cause)}`;
          const text = `not within ${seconds(wait)} s: ${what}${why}\n${path}:\n${last.join("\n")}`;
          reject(new Error(text, { cause }));
        }, milliseconds(wait));
        const begin = (): void => {
          if (isOver) return;
          let isWhole = false;
          objects.clear();
          const onEvent = (type: string, object: Live): void => {
            if (type === "ERROR") cause = new Error(object.message);
            else if (type === "BOOKMARK") isWhole = true;
            else if (type === "DELETED") objects.delete(object.metadata!.uid!);
            else objects.set(object.metadata!.uid!, object);
            if (!isWhole) return;
            try {
              const result = found([...objects.values()]);
              cause = undefined;
              if (result !== undefined) resolve(result);
            } catch (error) {
              cause = error;
            }
          };
          const onEnd = (error: unknown): void => {
            cause = error ?? cause;
            setTimeout(begin, AGAIN);
          };
          new Watch(this.config).watch(where, parameters, onEvent, onEnd).then((begun) => {
            connection = begun;
            if (isOver) begun.abort();
          }, onEnd);
        };
        begin();
      });
    } finally {
      isOver = true;
      clearTimeout(timer);
      connection?.abort();
    }
  }

  /** Waits for an event of this namespace, as `kubectl describe` would show it. */
  event(reason: string, message: RegExp): Promise<Live> {
    return this.seen(
      `/api/v1/namespaces/${this.namespace}/events`,
      `event ${reason} ${message}`,
      (events) => events.find((event) => event.reason === reason && message.test(event.message)),
    );
  }

  /** Messages of the events so far with this reason. */
  async events(reason: string): Promise<string[]> {
    const selector = `--field-selector=reason=${reason}`;
    const { items } = JSON.parse(await this.kubectl("get", "events", selector, "-o", "json"));
    return items.map(({ message }: Live) => message);
  }

  /** Waits for a pod of this namespace. */
  pod(what: string, which: (pod: Live) => boolean): Promise<Live> {
    const path = `/api/v1/namespaces/${this.namespace}/pods`;
    return this.seen(path, what, (pods) => pods.find(which), "podReady");
  }

  /** A pod of the component that runs, volumes attached and all. */
  running(component: string, which: (pod: Live) => boolean = () => true): Promise<Live> {
    return this.pod(
      `a running pod of ${component}`,
      (pod) => isOf(component, pod) && pod.status.phase === "Running" && which(pod),
    );
  }

  /** A pod of the component that is ready, and that stays; not on this node. */
  ready(component: string, otherThan = ""): Promise<Live> {
    return this.pod(
      `a ready pod of ${component}, on another node than "${otherThan}"`,
      (pod) =>
        isOf(component, pod) &&
        isReady(pod as V1Pod) &&
        !pod.metadata!.deletionTimestamp &&
        pod.spec.nodeName !== otherThan,
    );
  }

  /** What `kubectl get` shows of a pod, once its node has said for what it waits. */
  async shownWaiting(name: string): Promise<string> {
    await this.pod(
      `${name}, which waits`,
      ({ metadata, status }) =>
        metadata!.name === name &&
        status.containerStatuses?.some(({ state }: Live) => state.waiting?.reason),
    );
    return this.kubectl("get", "pod", name);
  }

  async open(waitingNodes: boolean): Promise<void> {
    await this.site.kubectl("create", "namespace", this.namespace);
    if (!waitingNodes) return;
    this.kubelet = new Kubelet(this.site.cluster.kubeconfig);
    await this.kubelet.start();
  }

  async close(): Promise<void> {
    // Its pods first: a node that is gone would keep them until the garbage collector comes by.
    try {
      await this.kubectl("delete", "cronjob,deployment,job,pod", "--all", within("podGone"));
      await this.site.kubectl("delete", "namespace", this.namespace, "--wait=false");
    } finally {
      await this.kubelet?.stop();
    }
  }
}

/** Whether the pod is one of the component's. */
export function isOf(component: string, pod: Live): boolean {
  return pod.metadata?.labels?.["app.kubernetes.io/component"] === component;
}

/** Gives the tests of one `describe` a namespace of their own beside the deployed stack. */
export function useBench(namespace: string, options = { waitingNodes: false }): () => Bench {
  let bench: Bench;
  before("the stack is up", async () => {
    bench = new Bench(await sharedSite("liberty"), namespace);
    await bench.open(options.waitingNodes);
  });
  after(async () => {
    await bench?.close();
  });
  return () => bench;
}
