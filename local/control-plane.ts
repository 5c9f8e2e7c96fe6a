/**
 * The processes of an embedded cluster with their flags: everything listens on the loopback only,
 * etcd on a socket in the state folder, and each client has a token of its own.
 */
import { generateKeyPairSync, randomBytes } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { stringify } from "yaml";
import type { DaemonSpec } from "./daemons";
import { node } from "./node/config";
import { localContext } from "./paths";

/** Who speaks to the API server, so that its audit log tells who did what. */
const users = [
  { name: localContext, groups: ["system:masters"] },
  { name: "system:kube-controller-manager", groups: [] },
  { name: "system:kube-scheduler", groups: [] },
  { name: "kwok", groups: ["system:masters"] },
  { name: "cloud-stand-in", groups: ["system:masters"] },
  { name: `system:node:${node.name}`, groups: ["system:nodes"] },
  { name: "system:kube-proxy", groups: [] },
  { name: "policies", groups: ["system:masters"] },
] as const;

/** A user of the API server that has a kubeconfig. */
export type User = (typeof users)[number]["name"];

/** etcd wants a port in every address; here it is part of the file's name. */
const etcdSocket = "unix://etcd.sock:0";
const peerSocket = "unix://etcd-peer.sock:0";
/** The API server makes it at its first start; it holds its own authority. */
const certificate = "apiserver.crt";

/** Writes what the processes read, once: keys, tokens and the audit policy. */
export function writeCredentials(folder: string): void {
  fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (fs.existsSync(path.join(folder, "tokens.csv"))) {
    return;
  }
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const write = (name: string, text: string | Buffer) =>
    fs.writeFileSync(path.join(folder, name), text, { mode: 0o600 });
  write("service-account.key", privateKey.export({ type: "pkcs8", format: "pem" }));
  write("service-account.pub", publicKey.export({ type: "spki", format: "pem" }));
  write("audit-policy.yaml", stringify(auditPolicy()));
  // Last: it is what says that all are there.
  const rows = users.map(({ name, groups }) =>
    [randomBytes(24).toString("hex"), name, name, `"${groups.join(",")}"`].join(","),
  );
  write("tokens.csv.partial", `${rows.join("\n")}\n`);
  fs.renameSync(path.join(folder, "tokens.csv.partial"), path.join(folder, "tokens.csv"));
}

/** The token of one user. */
export function token(folder: string, user: User): string {
  const rows = fs.readFileSync(path.join(folder, "tokens.csv"), "utf8").split("\n");
  const row = rows.map((line) => line.split(",")).find(([, name]) => name === user);
  if (!row) {
    throw new Error(`no token for ${user} in ${folder}: npm run clean makes the cluster anew`);
  }
  return row[0];
}

/** The certificate authority that clients trust. */
export function authority(folder: string): Buffer {
  return fs.readFileSync(path.join(folder, certificate));
}

/** Writes a kubeconfig for one user, readable by its owner alone. */
export function writeKubeconfig(folder: string, user: User, port: number, file: string): void {
  const text = stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [
      {
        name: localContext,
        cluster: {
          server: `https://127.0.0.1:${port}`,
          "certificate-authority-data": authority(folder).toString("base64"),
        },
      },
    ],
    users: [{ name: user, user: { token: token(folder, user) } }],
    contexts: [{ name: localContext, context: { cluster: localContext, user } }],
    "current-context": localContext,
  });
  // The same text is not written again: its readers may be in the middle of it.
  if (!fs.existsSync(file) || fs.readFileSync(file, "utf8") !== text) {
    fs.writeFileSync(`${file}.partial`, text, { mode: 0o600 });
    fs.renameSync(`${file}.partial`, file);
  }
}

/** The database. It need not survive a power cut, so it does not wait for the disk. */
export function etcdDaemon(folder: string, etcd: string): DaemonSpec {
  return {
    name: "etcd",
    command: path.join(etcd, "etcd"),
    args: [
      `--data-dir=${path.join(folder, "etcd")}`,
      `--listen-client-urls=${etcdSocket}`,
      `--advertise-client-urls=${etcdSocket}`,
      `--listen-peer-urls=${peerSocket}`,
      `--initial-advertise-peer-urls=${peerSocket}`,
      `--initial-cluster=default=${peerSocket}`,
      "--unsafe-no-fsync",
      "--log-level=warn",
    ],
  };
}

/** `more`: flags of a cluster whose node is real, which has to be reached. */
export function apiServerDaemon(kubernetes: string, port: number, more: string[] = []): DaemonSpec {
  return {
    name: "kube-apiserver",
    command: path.join(kubernetes, "kube-apiserver"),
    args: [
      `--etcd-servers=${etcdSocket}`,
      "--bind-address=127.0.0.1",
      "--advertise-address=127.0.0.1",
      // A loopback address is refused as an endpoint; nothing in the cluster runs to use it.
      "--endpoint-reconciler-type=none",
      `--secure-port=${port}`,
      "--cert-dir=.",
      "--token-auth-file=tokens.csv",
      "--authorization-mode=Node,RBAC",
      "--service-account-issuer=https://kubernetes.default.svc",
      "--service-account-key-file=service-account.pub",
      "--service-account-signing-key-file=service-account.key",
      "--service-cluster-ip-range=10.96.0.0/16",
      "--audit-policy-file=audit-policy.yaml",
      "--audit-log-path=audit.log",
      "--profiling=false",
      ...more,
    ],
  };
}

/** What runs on the API server, kwok where nodes are simulated; each with a kubeconfig of its own in `folder`. */
export function controllerDaemons(kubernetes: string, kwok: string | undefined): DaemonSpec[] {
  const noServer = ["--leader-elect=false", "--secure-port=0", "--profiling=false"];
  return [
    {
      name: "kube-controller-manager",
      command: path.join(kubernetes, "kube-controller-manager"),
      args: [
        `--kubeconfig=${userFile("system:kube-controller-manager")}`,
        `--root-ca-file=${certificate}`,
        "--service-account-private-key-file=service-account.key",
        "--use-service-account-credentials",
        // On a slow machine a node's word comes late, and that alone is no reason to take its pods away.
        "--node-monitor-grace-period=10m",
        ...noServer,
      ],
    },
    {
      name: "kube-scheduler",
      command: path.join(kubernetes, "kube-scheduler"),
      args: [`--kubeconfig=${userFile("system:kube-scheduler")}`, ...noServer],
    },
    ...(kwok === undefined ? [] : [kwokDaemon(kwok)]),
  ];
}

function kwokDaemon(kwok: string): DaemonSpec {
  return {
    name: "kwok",
    command: path.join(kwok, "kwok"),
    args: [
      `--kubeconfig=${userFile("kwok")}`,
      "--config=kwok.yaml",
      "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=simulated",
      "--node-lease-duration-seconds=40",
      // Nobody listens there, so what asks a simulated node is refused at once.
      "--node-ip=127.0.0.1",
      "--cidr=10.244.0.0/16",
    ],
  };
}

/** Name of a user's kubeconfig within the state folder. */
export function userFile(user: User): string {
  return `${user.replace("system:", "").replace(/:.*/, "")}.kubeconfig`;
}

/** Users with a kubeconfig in the state folder: those of every cluster, those of a real node. */
export const nodeUsers: User[] = [`system:node:${node.name}`, "system:kube-proxy", "policies"];
export const componentUsers = users
  .map(({ name }) => name)
  .filter((name) => name !== localContext && !nodeUsers.includes(name));

/** Who changed what, without any body: a Secret's content is never in it. */
function auditPolicy(): object {
  return {
    apiVersion: "audit.k8s.io/v1",
    kind: "Policy",
    omitStages: ["RequestReceived"],
    rules: [
      { level: "None", resources: [{ group: "coordination.k8s.io", resources: ["leases"] }] },
      { level: "None", resources: [{ group: "", resources: ["events"] }] },
      { level: "None", verbs: ["watch"] },
      { level: "Metadata" },
    ],
  };
}
