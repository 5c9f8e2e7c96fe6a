/**
 * Stand-in for the Gateway API's controller, which DOKS has by default (Cilium): classes, Gateways
 * and HTTPRoutes get the conditions that say whether they are accepted and lead anywhere.
 */
import type { KubernetesObject } from "@kubernetes/client-node";
import { condition, sameStatus } from "./conditions";
import type { Condition } from "./conditions";
import { ifFound } from "./kube";
import type { CustomKind, Kube, Watched } from "./kube";
import { documentationAddress } from "./load-balancers";

const CONTROLLER = "io.cilium/gateway-controller";
const GROUP = "gateway.networking.k8s.io";
const CLASSES: CustomKind = { group: GROUP, version: "v1", plural: "gatewayclasses" };
export const GATEWAYS: CustomKind = { group: GROUP, version: "v1", plural: "gateways" };
const ROUTES: CustomKind = { group: GROUP, version: "v1", plural: "httproutes" };

interface GatewayClass extends KubernetesObject {
  spec: { controllerName: string };
  status?: { conditions?: Condition[] };
}

export interface Listener {
  name: string;
  hostname?: string;
  protocol: string;
  tls?: { certificateRefs?: { kind?: string; name: string; namespace?: string }[] };
}

export interface Gateway extends KubernetesObject {
  spec: { gatewayClassName: string; listeners: Listener[] };
  status?: object;
}

interface ParentRef {
  name: string;
  namespace?: string;
  kind?: string;
  sectionName?: string;
}

interface HttpRoute extends KubernetesObject {
  spec: {
    parentRefs?: ParentRef[];
    rules?: { backendRefs?: { name: string; namespace?: string }[] }[];
  };
  status?: object;
}

export function startGateways(kube: Kube): void {
  const accepted = kube.watchCustom<GatewayClass>(CLASSES, async (gatewayClass) => {
    if (gatewayClass.spec.controllerName !== CONTROLLER) return;
    const conditions = [condition(gatewayClass, "Accepted", true, "Accepted")];
    await write(kube, CLASSES, gatewayClass, { conditions });
    gateways.again((gateway) => gateway.spec.gatewayClassName === gatewayClass.metadata?.name);
  });
  const ours = ({ spec }: Gateway): boolean =>
    accepted.cache.get(spec.gatewayClassName)?.spec.controllerName === CONTROLLER;
  const gateways: Watched<Gateway> = kube.watchCustom<Gateway>(GATEWAYS, async (gateway) => {
    if (!ours(gateway)) return;
    await reconcileGateway(kube, gateway, routes.cache.list());
    routes.again((route) => parents(route).some((parent) => refersTo(parent, route, gateway)));
  });
  const routes: Watched<HttpRoute> = kube.watchCustom<HttpRoute>(ROUTES, async (route) => {
    const found = gateways.cache.list().filter(ours);
    if (await reconcileRoute(kube, route, found)) {
      gateways.again((gateway) => parents(route).some((p) => refersTo(p, route, gateway)));
    }
  });
}

async function reconcileGateway(
  kube: Kube,
  gateway: Gateway,
  routes: readonly HttpRoute[],
): Promise<void> {
  const namespace = gateway.metadata?.namespace ?? "";
  const listeners = gateway.spec.listeners.map(async (listener) => {
    const missing = await missingSecret(kube, namespace, listener);
    const attached = routes.filter((route) =>
      parents(route).some(
        (parent) =>
          refersTo(parent, route, gateway) &&
          (parent.sectionName ?? listener.name) === listener.name,
      ),
    );
    return {
      name: listener.name,
      attachedRoutes: attached.length,
      supportedKinds: [{ group: GROUP, kind: "HTTPRoute" }],
      conditions: [
        condition(gateway, "Accepted", true, "Accepted"),
        condition(gateway, "Programmed", !missing, missing ? "Invalid" : "Programmed"),
        missing
          ? condition(gateway, "ResolvedRefs", false, "InvalidCertificateRef", missing)
          : condition(gateway, "ResolvedRefs", true, "ResolvedRefs"),
      ],
    };
  });
  const address = documentationAddress(`${namespace}/${gateway.metadata?.name}`);
  await write(kube, GATEWAYS, gateway, {
    addresses: [{ type: "IPAddress", value: address }],
    conditions: [
      condition(gateway, "Accepted", true, "Accepted"),
      condition(gateway, "Programmed", true, "Programmed"),
    ],
    listeners: await Promise.all(listeners),
  });
  // The certificate comes after the listener that asks for it.
  if ((await Promise.all(listeners)).some(({ conditions }) => conditions[2].status === "False")) {
    throw new Error(`gateway ${namespace}/${gateway.metadata?.name} waits for its certificate`);
  }
}

async function missingSecret(
  kube: Kube,
  namespace: string,
  listener: Listener,
): Promise<string | undefined> {
  for (const { name, namespace: other } of listener.tls?.certificateRefs ?? []) {
    const at = { name, namespace: other ?? namespace };
    if (!(await ifFound(kube.core.readNamespacedSecret(at)))) {
      return `Secret ${at.namespace}/${name} not found`;
    }
  }
  return undefined;
}

/** Writes the route's status; whether there was something to write. */
async function reconcileRoute(kube: Kube, route: HttpRoute, gateways: Gateway[]): Promise<boolean> {
  const missing = await missingService(kube, route);
  const statuses = parents(route).flatMap((parentRef) => {
    const gateway = gateways.find((candidate) => refersTo(parentRef, route, candidate));
    if (!gateway) return [];
    const { sectionName } = parentRef;
    const listens =
      !sectionName || gateway.spec.listeners.some((listener) => listener.name === sectionName);
    return {
      parentRef,
      controllerName: CONTROLLER,
      conditions: [
        condition(route, "Accepted", listens, listens ? "Accepted" : "NoMatchingParent"),
        missing
          ? condition(route, "ResolvedRefs", false, "BackendNotFound", missing)
          : condition(route, "ResolvedRefs", true, "ResolvedRefs"),
      ],
    };
  });
  if (statuses.length === 0) return false;
  const written = await write(kube, ROUTES, route, { parents: statuses });
  if (missing) throw new Error(`route ${route.metadata?.name}: ${missing}`);
  return written;
}

async function missingService(kube: Kube, route: HttpRoute): Promise<string | undefined> {
  for (const { name, namespace } of route.spec.rules?.flatMap((r) => r.backendRefs ?? []) ?? []) {
    const at = { name, namespace: namespace ?? route.metadata?.namespace ?? "" };
    if (!(await ifFound(kube.core.readNamespacedService(at)))) return `Service ${name} not found`;
  }
  return undefined;
}

async function write(
  kube: Kube,
  kind: CustomKind,
  object: KubernetesObject & { status?: object },
  status: object,
): Promise<boolean> {
  if (sameStatus(object.status, { ...object.status, ...status })) return false;
  await kube.patchStatus(kind, object, status);
  return true;
}

function parents(route: HttpRoute): ParentRef[] {
  return (route.spec.parentRefs ?? []).filter(({ kind }) => (kind ?? "Gateway") === "Gateway");
}

function refersTo(parent: ParentRef, route: HttpRoute, gateway: Gateway): boolean {
  const namespace = parent.namespace ?? route.metadata?.namespace;
  return parent.name === gateway.metadata?.name && namespace === gateway.metadata?.namespace;
}
