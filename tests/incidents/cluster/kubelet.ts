/**
 * Two nodes whose kubelet waits for a pod's volumes, as a real one does. The simulated nodes run
 * every pod at once, attached or not, and end every Job's pod: on them no pod would ever stay in
 * ContainerCreating (incidents 2, 7, 13), and no Job would still run at its next schedule
 * (incident 4).
 *
 * Whether a volume is attached is decided by Kubernetes' own attach/detach controller and told by
 * a VolumeAttachment. A Job's pod runs until a test ends it.
 */
import type { V1Container, V1Pod } from "@kubernetes/client-node";
import { ifFound, Kube, MERGE } from "../../../local/standins/cloud/kube";
import type { Live } from "../../api/harness";

const NODES = ["pool-incidents-1", "pool-incidents-2"];
/** Keeps other pods away. */
const TAINT = "matomo-fleet/incidents";
/** Of the simulated node that these are like. */
const MODEL = "pool-local-1";
/** How often a kubelet renews its lease, in milliseconds. */
const RENEW = 10_000;

/** Places a pod's spec on these nodes. */
export function onWaitingNodes(podSpec: Live): void {
  podSpec.nodeSelector = { [TAINT]: "true" };
  podSpec.tolerations = [{ key: TAINT, operator: "Exists" }];
}

export class Kubelet {
  private readonly kube: Kube;
  private heartbeat?: NodeJS.Timeout;
  private addresses = 0;

  constructor(kubeconfig: string) {
    this.kube = new Kube(kubeconfig);
  }

  /** Registers the nodes and runs what is scheduled to them. */
  async start(): Promise<void> {
    const { core, storage } = this.kube;
    const model = await core.readNode({ name: MODEL });
    const csi = await storage.readCSINode({ name: MODEL });
    for (const name of NODES) {
      await core.createNode({
        body: {
          metadata: {
            name,
            annotations: { "volumes.kubernetes.io/controller-managed-attach-detach": "true" },
            labels: { ...model.metadata?.labels, "kubernetes.io/hostname": name, [TAINT]: "true" },
          },
          spec: { taints: [{ key: TAINT, effect: "NoSchedule" }] },
          status: { ...model.status, conditions: [condition("Ready")] },
        },
      });
      const drivers = csi.spec.drivers.map((driver) => ({ ...driver, nodeID: name }));
      await storage.createCSINode({ body: { metadata: { name }, spec: { drivers } } });
    }
    const pods = this.kube.watch(
      "/api/v1/pods",
      () => core.listPodForAllNamespaces(),
      (pod) => this.reconcile(pod),
    );
    this.kube.watch(
      "/apis/storage.k8s.io/v1/volumeattachments",
      () => storage.listVolumeAttachment(),
      async () => pods.again(({ status }) => status?.phase === "Pending"),
    );
    // One that fails is made up for by the next.
    this.heartbeat = setInterval(() => void this.renew().catch(() => undefined), RENEW);
  }

  /** Ends a Job's pod. */
  async finish(pod: Live, phase: "Succeeded" | "Failed"): Promise<void> {
    const { name = "", namespace = "" } = pod.metadata!;
    const exitCode = phase === "Succeeded" ? 0 : 1;
    const terminated = { exitCode, finishedAt: now() };
    const body = { status: { phase, containerStatuses: containers(pod, false, { terminated }) } };
    await this.kube.core.patchNamespacedPodStatus({ name, namespace, body }, MERGE);
  }

  /** Unregisters the nodes; their pods go with them. */
  async stop(): Promise<void> {
    clearInterval(this.heartbeat);
    await this.kube.close();
    const { core, storage } = this.kube;
    for (const name of NODES) {
      await ifFound(core.deleteNode({ name }));
      await ifFound(storage.deleteCSINode({ name }));
    }
  }

  private async reconcile(pod: V1Pod): Promise<void> {
    const {
      name = "",
      namespace = "",
      uid,
      deletionTimestamp,
      resourceVersion,
    } = pod.metadata ?? {};
    if (!NODES.includes(pod.spec?.nodeName ?? "")) return;
    if (deletionTimestamp) {
      const body = { gracePeriodSeconds: 0, preconditions: { uid } };
      await ifFound(this.kube.core.deleteNamespacedPod({ name, namespace, body }));
      return;
    }
    if (pod.status?.phase !== "Pending") return;
    const status = (await this.hasVolumes(pod)) ? this.running(pod) : creating(pod);
    if (status.phase === "Pending" && pod.status.containerStatuses) return;
    const body = { metadata: { resourceVersion }, status };
    const patched = this.kube.core.patchNamespacedPodStatus({ name, namespace, body }, MERGE);
    await ifFound(patched.catch(unlessOutdated));
  }

  /** Whether every claim of the pod is attached to its node. */
  private async hasVolumes(pod: V1Pod): Promise<boolean> {
    const namespace = pod.metadata?.namespace ?? "";
    const { items } = await this.kube.storage.listVolumeAttachment();
    for (const { persistentVolumeClaim } of pod.spec?.volumes ?? []) {
      if (!persistentVolumeClaim) continue;
      const name = persistentVolumeClaim.claimName;
      const claim = await this.kube.core.readNamespacedPersistentVolumeClaim({ name, namespace });
      const isAttached = items.some(
        ({ spec, status, metadata }) =>
          status?.attached &&
          !metadata?.deletionTimestamp &&
          spec.nodeName === pod.spec?.nodeName &&
          spec.source.persistentVolumeName === claim.spec?.volumeName,
      );
      if (!isAttached) return false;
    }
    return true;
  }

  private running(pod: V1Pod) {
    return {
      phase: "Running",
      podIP: `10.245.0.${++this.addresses}`,
      conditions: ["Initialized", "ContainersReady", "Ready"].map(condition),
      initContainerStatuses: statuses(pod.spec?.initContainers, true, {
        terminated: { exitCode: 0, finishedAt: now() },
      }),
      containerStatuses: containers(pod, true, { running: { startedAt: now() } }),
    };
  }

  private async renew(): Promise<void> {
    for (const name of NODES) {
      const heartbeat = { status: { conditions: [condition("Ready")] } };
      await ifFound(this.kube.core.patchNodeStatus({ name, body: heartbeat }, MERGE));
    }
  }
}

/** What is known of a pod may be older than its end (finish): the newer one is on its way here. */
function unlessOutdated(error: { code?: number }): undefined {
  if (error.code !== 409) throw error;
}

function creating(pod: V1Pod) {
  const reason = "ContainerCreating";
  return {
    phase: "Pending",
    containerStatuses: containers(pod, false, { waiting: { reason } }),
  };
}

function containers({ spec }: V1Pod | Live, ready: boolean, state: object) {
  return statuses(spec?.containers as V1Container[], ready, state);
}

function statuses(of: V1Container[] = [], ready: boolean, state: object) {
  return of.map(({ name, image }) => ({
    name,
    image,
    imageID: image,
    ready,
    restartCount: 0,
    state,
  }));
}

function condition(type: string) {
  const at = new Date();
  return { type, status: "True", lastHeartbeatTime: at, lastTransitionTime: at };
}

function now(): string {
  return new Date().toISOString();
}
