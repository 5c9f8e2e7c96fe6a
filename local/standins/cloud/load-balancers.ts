/**
 * Stand-in for what gives a cluster's edges an address: ingress-nginx for Ingresses of its class,
 * DigitalOcean's cloud controller for Services of type LoadBalancer. Without it an `up` would wait
 * ten minutes for each. The addresses are of the range for documentation: nothing is ever there.
 */
import { createHash } from "node:crypto";
import type { V1Ingress, V1Service } from "@kubernetes/client-node";
import { MERGE, ifFound } from "./kube";
import type { Kube } from "./kube";

const INGRESS_CONTROLLER = "k8s.io/ingress-nginx";
/** All Ingresses of one controller share the load balancer of its Service. */
export const INGRESS_ADDRESS = "203.0.113.10";

export function startLoadBalancers(kube: Kube): void {
  kube.watch(
    "/apis/networking.k8s.io/v1/ingresses",
    () => kube.networking.listIngressForAllNamespaces(),
    (ingress) => reconcileIngress(kube, ingress),
  );
  kube.watch(
    "/api/v1/services",
    () => kube.core.listServiceForAllNamespaces(),
    (service) => reconcileService(kube, service),
  );
}

async function reconcileIngress(kube: Kube, ingress: V1Ingress): Promise<void> {
  const name = ingress.spec?.ingressClassName;
  if (!name || ingress.status?.loadBalancer?.ingress?.length) return;
  const ingressClass = await ifFound(kube.networking.readIngressClass({ name }));
  if (ingressClass?.spec?.controller !== INGRESS_CONTROLLER) return;
  await kube.networking.patchNamespacedIngressStatus(
    { ...key(ingress), body: addressed(INGRESS_ADDRESS) },
    MERGE,
  );
}

async function reconcileService(kube: Kube, service: V1Service): Promise<void> {
  if (service.spec?.type !== "LoadBalancer") return;
  if (service.status?.loadBalancer?.ingress?.length) return;
  const { name, namespace } = key(service);
  const body = addressed(documentationAddress(`${namespace}/${name}`));
  await kube.core.patchNamespacedServiceStatus({ name, namespace, body }, MERGE);
}

/** An address of 203.0.113.0/24 that the name makes; the first twenty are for other uses. */
export function documentationAddress(name: string): string {
  return `203.0.113.${20 + (createHash("sha256").update(name).digest()[0] % 230)}`;
}

function addressed(ip: string) {
  return { status: { loadBalancer: { ingress: [{ ip }] } } };
}

function key({ metadata }: V1Ingress | V1Service): { name: string; namespace: string } {
  return { name: metadata?.name ?? "", namespace: metadata?.namespace ?? "" };
}
