/**
 * What the node's programs read: pure functions from its few figures to the text of each file.
 */
import { stringify } from "yaml";

/** The node as the cluster knows it; labelled as DOKS labels its nodes. */
export const node = {
  name: "pool-local-1",
  ip: "10.240.0.1",
  region: "nyc1",
  labels: {
    "doks.digitalocean.com/managed": "true",
    "doks.digitalocean.com/node-pool": "pool-local",
    "node.kubernetes.io/instance-type": "s-4vcpu-8gb",
    region: "nyc1",
    "topology.kubernetes.io/region": "nyc1",
  },
};

export const serviceRange = "10.96.0.0/16";
export const podRange = "10.244.0.0/24";
export const dnsAddress = "10.96.0.10";
/** Where the ingress is found within the node's network. */
export const ingressIp = "10.96.0.80";
export const ingressAddress = `${ingressIp}:80`;
/** Holds pods' namespaces; the same image is the ingress. */
export const nodeImage = "matomo-fleet/node:1";
export const coredns = "matomo-fleet/coredns:1";

/** The API server reaches kubelet and Services through the node's own proxy (egress.sock). */
export function egressSelector(): string {
  return stringify({
    apiVersion: "apiserver.k8s.io/v1beta1",
    kind: "EgressSelectorConfiguration",
    egressSelections: [
      {
        name: "cluster",
        connection: {
          proxyProtocol: "HTTPConnect",
          transport: { uds: { udsName: "egress.sock" } },
        },
      },
    ],
  });
}

export function containerd(): string {
  return `version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs"]
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${nodeImage}"
  # Without CAP_SYS_RESOURCE, as in a container, nobody may shield a process from the OOM killer.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "/etc/cni/net.d"
`;
}

export function kubelet(cgroup: string): string {
  return stringify({
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    kind: "KubeletConfiguration",
    containerRuntimeEndpoint: "unix:///run/containerd/containerd.sock",
    cgroupRoot: cgroup,
    cgroupDriver: "cgroupfs",
    failCgroupV1: false,
    failSwapOn: false,
    clusterDNS: [dnsAddress],
    clusterDomain: "cluster.local",
    resolvConf: "/run/resolv.conf",
    authentication: {
      anonymous: { enabled: false },
      x509: { clientCAFile: "../kubelet-client.crt" },
    },
    // Images are brought once and the machine's disk is its own: never tidied up for lack of space.
    imageGCHighThresholdPercent: 100,
    imageGCLowThresholdPercent: 99,
    evictionHard: { "memory.available": "100Mi" },
    shutdownGracePeriod: "0s",
    // A volume is mounted once the node's status lists it, and kubelet looks every so often: after 10 s
    // by default, so a rollout on such a node takes up to as much longer.
    nodeStatusUpdateFrequency: "1s",
    enableServer: true,
    readOnlyPort: 0,
  });
}

export function kubeProxy(): string {
  return stringify({
    apiVersion: "kubeproxy.config.k8s.io/v1alpha1",
    kind: "KubeProxyConfiguration",
    mode: "iptables",
    clusterCIDR: podRange,
    clientConnection: { kubeconfig: "kube-proxy.kubeconfig" },
    // The kernel's table of connections is the machine's.
    conntrack: {
      maxPerCore: 0,
      min: 0,
      tcpEstablishedTimeout: "0s",
      tcpCloseWaitTimeout: "0s",
      udpTimeout: "0s",
      udpStreamTimeout: "0s",
    },
    healthzBindAddress: "127.0.0.1:10256",
    metricsBindAddress: "127.0.0.1:10249",
  });
}

/** Each pod on a link of its own, routed: all traffic passes the node's filters. */
export function podNetwork(): string {
  return JSON.stringify({
    cniVersion: "0.4.0",
    name: "pods",
    plugins: [
      {
        type: "ptp",
        ipam: {
          type: "host-local",
          subnet: podRange,
          routes: [{ dst: "0.0.0.0/0" }],
        },
      },
    ],
  });
}
