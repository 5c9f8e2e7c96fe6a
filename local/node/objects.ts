/**
 * What a cluster's own pods are on a real node: DNS, and the ingress that brings visitors in.
 */
import type { KubernetesObject } from "@kubernetes/client-node";
import { coredns, dnsAddress, ingressIp, node, nodeImage } from "./config";

type Manifest = KubernetesObject & Record<string, unknown>;

/** The namespace that ingress-nginx has on the clusters. */
const ingressNamespace = "ingress-nginx";

export function nodeObjects(apiPort: number): Manifest[] {
  return [...apiServerObjects(apiPort), ...dnsObjects(), ...ingressObjects()];
}

/** The Service `kubernetes` is the API server's own; its address in here is the node's. */
function apiServerObjects(port: number): Manifest[] {
  return [
    {
      apiVersion: "v1",
      kind: "Endpoints",
      metadata: { name: "kubernetes", namespace: "default" },
      subsets: [{ addresses: [{ ip: node.ip }], ports: [{ name: "https", port }] }],
    },
  ];
}

function dnsObjects(): Manifest[] {
  const metadata = { name: "coredns", namespace: "kube-system", labels: { "k8s-app": "kube-dns" } };
  const corefile = [
    ".:53 {",
    "  errors",
    "  ready",
    "  kubernetes cluster.local in-addr.arpa {",
    "    pods insecure",
    "  }",
    "}",
    "",
  ].join("\n");
  return [
    { apiVersion: "v1", kind: "ServiceAccount", metadata },
    { apiVersion: "v1", kind: "ConfigMap", metadata, data: { Corefile: corefile } },
    {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "ClusterRole",
      metadata: { name: "coredns" },
      rules: [
        {
          apiGroups: [""],
          resources: ["services", "pods", "namespaces"],
          verbs: ["list", "watch"],
        },
        {
          apiGroups: ["discovery.k8s.io"],
          resources: ["endpointslices"],
          verbs: ["list", "watch"],
        },
      ],
    },
    {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "ClusterRoleBinding",
      metadata: { name: "coredns" },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "coredns" },
      subjects: [{ kind: "ServiceAccount", name: "coredns", namespace: "kube-system" }],
    },
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { ...metadata, name: "kube-dns" },
      spec: {
        clusterIP: dnsAddress,
        selector: metadata.labels,
        ports: [
          { name: "dns", port: 53, protocol: "UDP" },
          { name: "dns-tcp", port: 53, protocol: "TCP" },
        ],
      },
    },
    deployment(metadata, {
      serviceAccountName: "coredns",
      containers: [
        {
          name: "coredns",
          image: coredns,
          args: ["-conf", "/etc/coredns/Corefile"],
          readinessProbe: { httpGet: { path: "/ready", port: 8181 }, periodSeconds: 1 },
          volumeMounts: [{ name: "config", mountPath: "/etc/coredns" }],
        },
      ],
      volumes: [{ name: "config", configMap: { name: "coredns" } }],
    }),
  ];
}

function ingressObjects(): Manifest[] {
  const metadata = {
    name: "ingress",
    namespace: ingressNamespace,
    labels: { "app.kubernetes.io/name": "ingress-nginx" },
  };
  return [
    { apiVersion: "v1", kind: "Namespace", metadata: { name: ingressNamespace } },
    {
      apiVersion: "v1",
      kind: "Service",
      metadata,
      spec: {
        clusterIP: ingressIp,
        selector: metadata.labels,
        ports: [{ port: 80, targetPort: 8080 }],
      },
    },
    deployment(metadata, {
      automountServiceAccountToken: false,
      containers: [
        {
          name: "ingress",
          image: nodeImage,
          args: ["ingress", "-to", "http://matomo.matomo.svc.cluster.local."],
        },
      ],
    }),
  ];
}

function deployment(metadata: { labels: Record<string, string> }, spec: object): Manifest {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata,
    spec: {
      selector: { matchLabels: metadata.labels },
      template: { metadata: { labels: metadata.labels }, spec },
    },
  };
}
