/**
 * Stand-in for cert-manager and for Let's Encrypt behind it: issuers become ready, annotated
 * Ingresses and Gateways get a Certificate, a Certificate gets its Secret, self-signed. Secrets are
 * kept when their Certificate goes, and production counts what it issues (incident 16).
 */
import type { KubernetesObject, V1Ingress, V1Secret } from "@kubernetes/client-node";
import { condition, sameStatus } from "./conditions";
import type { Condition } from "./conditions";
import { GATEWAYS } from "./gateway";
import type { Gateway } from "./gateway";
import { MERGE, ifFound } from "./kube";
import type { CustomKind, Kube } from "./kube";
import type { OrderBook } from "./orders";

const GROUP = "cert-manager.io";
const CERTIFICATES: CustomKind = { group: GROUP, version: "v1", plural: "certificates" };
const ISSUERS: CustomKind = { group: GROUP, version: "v1", plural: "issuers" };
const CLUSTER_ISSUERS: CustomKind = { group: GROUP, version: "v1", plural: "clusterissuers" };
const DAYS = 90;

interface Issuer extends KubernetesObject {
  spec: { acme?: { server: string } };
  status?: { conditions?: Condition[] };
}

interface Certificate extends KubernetesObject {
  spec: {
    secretName: string;
    dnsNames?: string[];
    issuerRef: { name: string; kind?: string; group?: string };
  };
  status?: { conditions?: Condition[] };
}

export function startCertificates(kube: Kube, orders: OrderBook): void {
  for (const kind of [ISSUERS, CLUSTER_ISSUERS]) {
    kube.watchCustom<Issuer>(kind, async (issuer) => {
      const message = "The ACME account was registered with the ACME server";
      const ready = condition(issuer, "Ready", true, "ACMEAccountRegistered", message);
      await setReady(kube, kind, issuer, ready, {});
    });
  }
  const certificates = kube.watchCustom<Certificate>(CERTIFICATES, (certificate) =>
    reconcileCertificate(kube, orders, certificate),
  );
  // A Secret that somebody deletes is issued again, and counts again.
  kube.watchSecrets("controller.cert-manager.io/fao=true", (gone) =>
    certificates.again(
      ({ metadata, spec }) =>
        spec.secretName === gone.metadata?.name && metadata?.namespace === gone.metadata?.namespace,
    ),
  );
  kube.watch<V1Ingress>(
    "/apis/networking.k8s.io/v1/ingresses",
    () => kube.networking.listIngressForAllNamespaces(),
    async (ingress) => {
      const owner = { ...ingress, apiVersion: "networking.k8s.io/v1", kind: "Ingress" };
      for (const { secretName, hosts = [] } of ingress.spec?.tls ?? []) {
        if (secretName) await shim(kube, owner, secretName, hosts);
      }
    },
  );
  kube.watchCustom<Gateway>(GATEWAYS, async (gateway) => {
    const bySecret = new Map<string, Set<string>>();
    for (const { hostname, tls } of gateway.spec.listeners) {
      for (const { name } of hostname ? (tls?.certificateRefs ?? []) : []) {
        bySecret.set(name, (bySecret.get(name) ?? new Set()).add(hostname ?? ""));
      }
    }
    for (const [secretName, hosts] of bySecret) await shim(kube, gateway, secretName, [...hosts]);
  });
}

/** The Certificate of an annotated Ingress or Gateway, which goes with its owner. */
async function shim(
  kube: Kube,
  owner: KubernetesObject,
  secretName: string,
  dnsNames: string[],
): Promise<void> {
  const annotations = owner.metadata?.annotations ?? {};
  const issuer = annotations[`${GROUP}/issuer`];
  const clusterIssuer = annotations[`${GROUP}/cluster-issuer`];
  const issuerName = issuer ?? clusterIssuer;
  if (!issuerName || owner.metadata?.deletionTimestamp) return;
  const spec = {
    secretName,
    dnsNames,
    issuerRef: { name: issuerName, kind: issuer ? "Issuer" : "ClusterIssuer", group: GROUP },
    usages: ["digital signature", "key encipherment"],
  };
  const namespace = owner.metadata?.namespace ?? "";
  const at = { ...CERTIFICATES, namespace, name: secretName };
  const existing: Certificate | undefined = await ifFound(
    kube.custom.getNamespacedCustomObject(at),
  );
  if (existing) {
    if (sameStatus(existing.spec, { ...existing.spec, ...spec })) return;
    await kube.custom.patchNamespacedCustomObject({ ...at, body: { spec } }, MERGE);
    return;
  }
  const { apiVersion = "", kind = "" } = owner;
  const { name = "", uid = "" } = owner.metadata ?? {};
  const ownerReferences = [
    { apiVersion, kind, name, uid, controller: true, blockOwnerDeletion: true },
  ];
  await kube.custom.createNamespacedCustomObject({
    ...at,
    body: {
      apiVersion: `${GROUP}/v1`,
      kind: "Certificate",
      metadata: { name: secretName, namespace, ownerReferences },
      spec,
    },
  });
}

async function reconcileCertificate(
  kube: Kube,
  orders: OrderBook,
  certificate: Certificate,
): Promise<void> {
  const { spec, metadata } = certificate;
  const namespace = metadata?.namespace ?? "";
  const dnsNames = [...(spec.dnsNames ?? [])].sort();
  const at = { name: spec.secretName, namespace };
  const secret = await ifFound(kube.core.readNamespacedSecret(at));
  if (!isCurrent(secret, certificate, dnsNames)) {
    const issuer = await readIssuer(kube, certificate);
    const refusal = orders.place(issuer.spec.acme?.server ?? "", dnsNames);
    if (refusal) {
      const failed = condition(certificate, "Ready", false, "Failed", refusal);
      return setReady(kube, CERTIFICATES, certificate, failed, {});
    }
    const body = await issue(certificate, dnsNames);
    if (secret) await kube.core.patchNamespacedSecret({ ...at, body }, MERGE);
    else await kube.core.createNamespacedSecret({ namespace, body });
  }
  const message = "Certificate is up to date and has not expired";
  const ready = condition(certificate, "Ready", true, "Ready", message);
  await setReady(kube, CERTIFICATES, certificate, ready, { revision: 1 });
}

/** cert-manager takes a Secret that is there already, if it is of this issuer for these names. */
function isCurrent(
  secret: V1Secret | undefined,
  { spec }: Certificate,
  dnsNames: string[],
): boolean {
  const annotations = secret?.metadata?.annotations ?? {};
  return (
    secret?.data?.["tls.crt"] !== undefined &&
    annotations[`${GROUP}/issuer-name`] === spec.issuerRef.name &&
    annotations[`${GROUP}/alt-names`] === dnsNames.join(",")
  );
}

async function readIssuer(kube: Kube, { metadata, spec }: Certificate): Promise<Issuer> {
  const { name, kind } = spec.issuerRef;
  return kind === "ClusterIssuer"
    ? await kube.custom.getClusterCustomObject({ ...CLUSTER_ISSUERS, name })
    : await kube.custom.getNamespacedCustomObject({
        ...ISSUERS,
        namespace: metadata?.namespace ?? "",
        name,
      });
}

async function issue({ metadata, spec }: Certificate, dnsNames: string[]): Promise<V1Secret> {
  const { generate } = await import("selfsigned");
  const notAfterDate = new Date(Date.now() + DAYS * 24 * 3600 * 1000);
  const pems = await generate([{ name: "commonName", value: dnsNames[0] }], {
    keyType: "ec",
    algorithm: "sha256",
    notAfterDate,
    extensions: [
      { name: "subjectAltName", altNames: dnsNames.map((value) => ({ type: 2, value })) },
    ],
  });
  return {
    metadata: {
      name: spec.secretName,
      labels: { "controller.cert-manager.io/fao": "true" },
      annotations: {
        [`${GROUP}/alt-names`]: dnsNames.join(","),
        [`${GROUP}/certificate-name`]: metadata?.name ?? "",
        [`${GROUP}/common-name`]: dnsNames[0],
        [`${GROUP}/issuer-group`]: GROUP,
        [`${GROUP}/issuer-kind`]: spec.issuerRef.kind ?? "Issuer",
        [`${GROUP}/issuer-name`]: spec.issuerRef.name,
      },
    },
    type: "kubernetes.io/tls",
    stringData: { "tls.crt": pems.cert, "tls.key": pems.private },
  };
}

async function setReady(
  kube: Kube,
  kind: CustomKind,
  object: Issuer | Certificate,
  ready: Condition,
  more: object,
): Promise<void> {
  const status = { ...more, conditions: [ready] };
  if (sameStatus(object.status, { ...object.status, ...status })) return;
  await kube.patchStatus(kind, object, status);
}
