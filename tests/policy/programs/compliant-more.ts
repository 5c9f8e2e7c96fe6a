/** Stacks that hold a part of an application, platform parts, and less usual ways to say things. */
import {
  budget,
  change,
  claim,
  claimVolume,
  COMPONENT,
  container,
  kube,
  podSpec,
  policy,
  resource,
  service,
  workload,
} from "../support/objects";
import { Compliant, deny } from "./compliant";

const kept = { opts: { protect: true } };
const only = (name: string) => ({ matchLabels: { [COMPONENT]: name } });
const rbac = "rbac.authorization.k8s.io/v1";

export const MORE_PROGRAMS: Record<string, Compliant> = {
  "an operator's own resources": {
    resources: [
      kube("cert-manager.io/v1", "Issuer", "letsencrypt", { spec: { acme: { email: "a@b.c" } } }),
      kube("cert-manager.io/v1", "Certificate", "web", { spec: { secretName: "web-tls" } }),
      kube("k8s.mariadb.com/v1alpha1", "MariaDB", "db", {
        spec: {
          image: "mariadb:12.0.2",
          rootPasswordSecretKeyRef: { name: "db", key: "password" },
        },
      }),
      kube("external-secrets.io/v1", "ExternalSecret", "db", {
        spec: {
          data: [{ secretKey: "password", remoteRef: { key: "prod/db", property: "password" } }],
        },
      }),
    ],
  },
  "an operator, its rights and its token": {
    resources: [
      deny,
      kube("v1", "ServiceAccount", "operator", {}),
      kube(rbac, "ClusterRoleBinding", "operator", {
        subjects: [{ kind: "ServiceAccount", name: "operator", namespace: "shop" }],
      }),
      workload(
        "Deployment",
        "operator",
        podSpec({ serviceAccountName: "operator", automountServiceAccountToken: true }),
      ),
    ],
  },
  "a Service for pods that another stack makes": { resources: [service("web"), budget("web")] },
  "policies for a namespace whose pods another stack makes": {
    resources: [
      deny,
      policy("web", {
        podSelector: only("web"),
        policyTypes: ["Egress"],
        egress: [
          {
            to: [
              {
                namespaceSelector: {
                  matchLabels: { "kubernetes.io/metadata.name": "kube-system" },
                },
                podSelector: { matchLabels: { "k8s-app": "kube-dns" } },
              },
            ],
            ports: [
              { protocol: "UDP", port: 53 },
              { protocol: "TCP", port: 53 },
            ],
          },
        ],
      }),
    ],
  },
  "two versions of one component behind one Service": {
    resources: [
      deny,
      workload("Deployment", "web"),
      change(
        change(workload("Deployment", "canary"), "spec.template.metadata.labels", {
          [COMPONENT]: "web",
          track: "canary",
        }),
        "spec.selector",
        { matchLabels: { [COMPONENT]: "web", track: "canary" } },
      ),
      service("web"),
    ],
  },
  "a sidecar, and an init container that ends": {
    resources: [
      deny,
      workload(
        "Deployment",
        "web",
        podSpec({
          initContainers: [
            {
              ...container("migrate"),
              command: ["sh", "-c", 'app migrate --token="$(cat /run/t)"'],
            },
            {
              ...container("proxy"),
              restartPolicy: "Always",
              startupProbe: { tcpSocket: { port: 1 }, timeoutSeconds: 3 },
            },
          ],
        }),
      ),
    ],
  },
  "a Deployment from an old API group": {
    resources: [
      deny,
      {
        ...change(workload("Deployment", "web"), "apiVersion", "apps/v1beta1"),
        type: "kubernetes:apps/v1beta1:Deployment",
      },
    ],
  },
  "a namespace of the cluster itself": {
    resources: [
      change(
        workload(
          "DaemonSet",
          "csi",
          podSpec({ hostNetwork: true, automountServiceAccountToken: true }),
        ),
        "metadata.namespace",
        "kube-system",
      ),
    ],
  },
  "objects in the provider's namespace": {
    resources: [deny, workload("Deployment", "web"), service("web")].map((raw) => ({
      ...change(raw, "metadata.namespace", "shop"),
      provider: { props: { namespace: "shop" } },
    })),
  },
  "an image by digest, and one from a registry with a port": {
    resources: [
      deny,
      workload(
        "Deployment",
        "web",
        podSpec({
          containers: [
            { ...container("a"), image: `app@sha256:${"ab".repeat(32)}` },
            { ...container("b"), image: "localhost:5000/team/app:2024-01-02" },
          ],
        }),
      ),
    ],
  },
  "a shell script and an ini in ConfigMaps": {
    resources: [
      kube("v1", "ConfigMap", "scripts", {
        data: {
          "backup.sh":
            'set -eu\npassword="$(cat /run/secrets/password)"\nexec dump --password-file /run/p\n',
          "my.cnf": "[client]\n!include /run/secrets/client.cnf\nuser=backup\n",
          "nginx.conf": "proxy_set_header Authorization $http_authorization;\n",
          "policy.json": '{"passwordPolicy": "strong", "tokenTtl": "24h"}',
        },
      }),
    ],
  },
  "PostgreSQL and Dovecot, configured in ConfigMaps": {
    resources: [
      kube("v1", "ConfigMap", "postgres", {
        data: {
          "postgresql.conf":
            "listen_addresses = '*'\npassword_encryption = scram-sha-256\nauthentication_timeout = 1min\nssl_passphrase_command = 'cat /run/secrets/passphrase'\nssl_passphrase_command_supports_reload = off\nprimary_conninfo = 'host=db user=replica passfile=/run/secrets/pgpass'\n",
          "pg_hba.conf": "host all all 10.0.0.0/8 scram-sha-256\n",
          "init.sql": "ALTER ROLE app WITH LOGIN PASSWORD :'password';\n",
        },
      }),
      kube("v1", "ConfigMap", "dovecot", {
        data: {
          "dovecot.conf":
            "passdb {\n  driver = sql\n  args = /run/secrets/dovecot-sql.conf.ext\n}\n",
          "auth.conf": "auth_mechanisms = plain login\ndefault_pass_scheme = SHA512-CRYPT\n",
          "ldap.conf":
            "auth_bind = yes\npass_attrs = uid=user,userPassword=password\npass_filter = (&(objectClass=posixAccount)(uid=%u))\n",
          "sql.conf":
            "password_query = SELECT username, password FROM users WHERE username = '%n'\n",
        },
      }),
      kube("v1", "ConfigMap", "app", {
        metadata: { annotations: { "checksum/password": "ab".repeat(32) } },
        data: {
          "values.yaml":
            "existingSecret: db\npasswordKey: password\nsecretBackend: vault\npasswordEncoder: bcrypt\n",
        },
      }),
    ],
  },
  "maintenance: scaled to nothing, a job on the claim": {
    resources: [
      deny,
      { ...claim("data"), ...kept },
      workload("Deployment", "web", podSpec({ volumes: [claimVolume("data")] }), { replicas: 0 }),
      workload("Job", "repair", podSpec({ volumes: [claimVolume("data")] })),
    ],
  },
  "resources of other clouds": {
    resources: [
      resource("digitalocean:index/domain:Domain", "d", { name: "example.com" }),
      resource("aws:s3/bucket:Bucket", "b", { tags: { password: "none" } }),
      resource("random:index/randomId:RandomId", "id", { byteLength: 4 }),
    ],
  },
  "nothing at all": { resources: [] },
};
