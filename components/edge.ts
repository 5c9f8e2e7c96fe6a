/**
 * The way in from the internet, over TLS.
 *
 * Objects: cert-manager Issuer `letsencrypt-staging` or `letsencrypt-production`, and either the
 * Ingress `matomo` or a Gateway `matomo` with two HTTPRoutes. The certificate's Secret belongs to
 * cert-manager alone and the namespace outlives the stack, so a stack that is made again finds its
 * certificate and asks for no new one (incident 16).
 */
import { CustomResource } from "@pulumi/kubernetes/apiextensions";
import { Ingress } from "@pulumi/kubernetes/networking/v1";
import * as pulumi from "@pulumi/pulumi";
import { NAMES, NAMESPACE, objectMeta, selectorLabels } from "./labels";
import { BODY_MIB } from "./web-config";

const DIRECTORIES = {
  staging: "https://acme-staging-v02.api.letsencrypt.org/directory",
  production: "https://acme-v02.api.letsencrypt.org/directory",
};
const ISSUER_API = "cert-manager.io/v1";
const GATEWAY_API = "gateway.networking.k8s.io/v1";

export interface EdgeArgs {
  kind: "ingress" | "gateway";
  /** IngressClass or GatewayClass. */
  class: string;
  /** Host names, the primary one first. */
  hosts: string[];
  /** Let's Encrypt directory. */
  issuer: "staging" | "production";
  /** Address that Let's Encrypt warns. */
  email: string;
  /** Requests per second and address; none where no ingress-nginx reads its annotations. */
  requestsPerSecond?: number;
  /** The web Service and its port. */
  service: pulumi.Input<string>;
  servicePort: number;
}

/**
 * Annotations of the Ingress, all of them documented by ingress-nginx. That only TLS 1.3 is spoken
 * cannot be promised here: the controller's own ConfigMap decides it (docs/operations.md).
 */
export function ingressAnnotations(requestsPerSecond: number | undefined) {
  if (requestsPerSecond === undefined) return {};
  const nginx = {
    "force-ssl-redirect": "true",
    "proxy-body-size": `${BODY_MIB}m`,
    "proxy-connect-timeout": "60",
    "proxy-read-timeout": "600",
    "proxy-send-timeout": "600",
    "limit-rps": String(requestsPerSecond),
    "limit-burst-multiplier": "5",
  };
  return Object.fromEntries(
    Object.entries(nginx).map(([key, value]) => [`nginx.ingress.kubernetes.io/${key}`, value]),
  );
}

export class Edge extends pulumi.ComponentResource {
  constructor(
    name: string,
    private readonly args: EdgeArgs,
    opts: pulumi.ComponentResourceOptions,
  ) {
    super("matomo:index:Edge", name, {}, opts);
    const issuer = this.issuer();
    if (args.kind === "ingress") this.ingress(issuer);
    else this.gateway(issuer);
    this.registerOutputs({});
  }

  private issuer(): pulumi.Output<string> {
    const { args } = this;
    const issuerName = `letsencrypt-${args.issuer}`;
    // cert-manager's solver runs in this namespace: under `restricted`, and under a NetworkPolicy
    // that knows it by its component.
    const podTemplate = {
      metadata: { labels: selectorLabels("acme-solver") },
      spec: { securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } } },
    };
    const solver =
      args.kind === "ingress"
        ? { ingress: { ingressClassName: args.class, podTemplate } }
        : {
            gatewayHTTPRoute: {
              parentRefs: [{ kind: "Gateway", name: NAMES.web, namespace: NAMESPACE }],
              podTemplate,
            },
          };
    const issuer = new CustomResource(
      "issuer",
      {
        apiVersion: ISSUER_API,
        kind: "Issuer",
        metadata: objectMeta(issuerName),
        spec: {
          acme: {
            server: DIRECTORIES[args.issuer],
            email: args.email,
            privateKeySecretRef: { name: issuerName },
            solvers: [{ http01: solver }],
          },
        },
      },
      { parent: this },
    );
    return issuer.metadata.name;
  }

  private ingress(issuer: pulumi.Output<string>): void {
    const { args } = this;
    const port = { number: args.servicePort };
    const path = {
      path: "/",
      pathType: "Prefix",
      backend: { service: { name: args.service, port } },
    };
    new Ingress(
      "ingress",
      {
        metadata: {
          ...objectMeta(NAMES.web, "web"),
          annotations: {
            "cert-manager.io/issuer": issuer,
            ...ingressAnnotations(args.requestsPerSecond),
          },
        },
        spec: {
          ingressClassName: args.class,
          tls: [{ hosts: args.hosts, secretName: NAMES.tls }],
          rules: args.hosts.map((host) => ({ host, http: { paths: [path] } })),
        },
      },
      { parent: this },
    );
  }

  private gateway(issuer: pulumi.Output<string>): void {
    const { args } = this;
    const listeners = args.hosts.flatMap((hostname, i) => [
      { name: `http-${i}`, protocol: "HTTP", port: 80, hostname },
      {
        name: `https-${i}`,
        protocol: "HTTPS",
        port: 443,
        hostname,
        tls: { mode: "Terminate", certificateRefs: [{ kind: "Secret", name: NAMES.tls }] },
      },
    ]);
    const gateway = new CustomResource(
      "gateway",
      {
        apiVersion: GATEWAY_API,
        kind: "Gateway",
        metadata: {
          ...objectMeta(NAMES.web, "web"),
          annotations: { "cert-manager.io/issuer": issuer },
        },
        spec: { gatewayClassName: args.class, listeners },
      },
      { parent: this },
    );
    const route = (name: string, scheme: "http" | "https", rule: object) =>
      new CustomResource(
        name,
        {
          apiVersion: GATEWAY_API,
          kind: "HTTPRoute",
          metadata: objectMeta(name === "route" ? NAMES.web : `${NAMES.web}-redirect`, "web"),
          spec: {
            hostnames: args.hosts,
            parentRefs: args.hosts.map((_, i) => ({
              name: gateway.metadata.name,
              sectionName: `${scheme}-${i}`,
            })),
            rules: [{ matches: [{ path: { type: "PathPrefix", value: "/" } }], ...rule }],
          },
        },
        { parent: this },
      );
    route("route", "https", {
      backendRefs: [{ name: args.service, port: args.servicePort }],
      timeouts: { request: "600s" },
    });
    route("redirect", "http", {
      filters: [{ type: "RequestRedirect", requestRedirect: { scheme: "https", statusCode: 301 } }],
    });
  }
}
