/**
 * What a DOKS cluster has before anybody deploys to it, for the embedded one: nodes (simulated by
 * kwok), the block storage class with its driver, and the ingress and gateway classes.
 */
import type { KubernetesObject } from "@kubernetes/client-node";

const driver = "dobs.csi.digitalocean.com";
const region = "nyc1";
/** Volumes that DigitalOcean attaches to one droplet. */
const volumesPerNode = 7;

type Manifest = KubernetesObject & Record<string, unknown>;

/** Names of the simulated nodes. Three, so that a drained node's pods have somewhere to go. */
export const nodeNames = ["pool-local-1", "pool-local-2", "pool-local-3"];

/** Every object, in the order in which they can be made; nodes only where none is real. */
export function baseObjects(simulatedNodes = true): Manifest[] {
  return [
    ...storageObjects(),
    {
      apiVersion: "networking.k8s.io/v1",
      kind: "IngressClass",
      metadata: { name: "nginx" },
      spec: { controller: "k8s.io/ingress-nginx" },
    },
    {
      apiVersion: "gateway.networking.k8s.io/v1",
      kind: "GatewayClass",
      metadata: { name: "cilium" },
      spec: { controllerName: "io.cilium/gateway-controller" },
    },
    ...(simulatedNodes ? nodeNames.flatMap((name) => [node(name), csiNode(name)]) : []),
  ];
}

function storageObjects(): Manifest[] {
  return [
    {
      apiVersion: "storage.k8s.io/v1",
      kind: "CSIDriver",
      metadata: { name: driver },
      spec: { attachRequired: true, podInfoOnMount: true },
    },
    storageClass("do-block-storage", "Delete", true),
    storageClass("do-block-storage-retain", "Retain", false),
  ];
}

function storageClass(name: string, reclaimPolicy: string, isDefault: boolean): Manifest {
  return {
    apiVersion: "storage.k8s.io/v1",
    kind: "StorageClass",
    metadata: {
      name,
      annotations: { "storageclass.kubernetes.io/is-default-class": String(isDefault) },
    },
    provisioner: driver,
    reclaimPolicy,
    allowVolumeExpansion: true,
    volumeBindingMode: "Immediate",
  };
}

/** A node as DOKS labels it, of size s-4vcpu-8gb with what DOKS leaves allocatable of it. */
function node(name: string): Manifest {
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: {
      name,
      annotations: {
        "kwok.x-k8s.io/node": "simulated",
        // As kubelet says of itself; without it nothing would ever be attached (incident 2).
        "volumes.kubernetes.io/controller-managed-attach-detach": "true",
      },
      labels: {
        "doks.digitalocean.com/managed": "true",
        "doks.digitalocean.com/node-pool": "pool-local",
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "node.kubernetes.io/instance-type": "s-4vcpu-8gb",
        region,
        "topology.kubernetes.io/region": region,
      },
    },
    status: {
      allocatable: { cpu: "3900m", memory: "6Gi", pods: "110" },
      capacity: { cpu: "4", memory: "8Gi", pods: "110" },
    },
  };
}

/** What the driver's node agent registers; the scheduler counts volumes by it. */
function csiNode(name: string): Manifest {
  return {
    apiVersion: "storage.k8s.io/v1",
    kind: "CSINode",
    metadata: { name },
    spec: {
      drivers: [
        {
          name: driver,
          nodeID: name,
          topologyKeys: ["region"],
          allocatable: { count: volumesPerNode },
        },
      ],
    },
  };
}
