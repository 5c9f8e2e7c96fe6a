/**
 * One context out of a kubeconfig, as the provider and the reads before a deployment need it.
 *
 * A full Kubernetes client would read it too, but loading one costs every preview more than all of
 * Pulumi's own modules (`npm run bench`), and only this much of it would be used.
 */
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import type { RequestOptions } from "node:https";
import * as os from "node:os";
import * as path from "node:path";
import { parse } from "yaml";
import { SettingsError } from "./settings";

interface Named<T> {
  name: string;
  value?: T;
}
interface ClusterEntry {
  server?: string;
  "certificate-authority"?: string;
  "certificate-authority-data"?: string;
  "insecure-skip-tls-verify"?: boolean;
  "tls-server-name"?: string;
  "proxy-url"?: string;
}
interface ExecEntry {
  apiVersion: string;
  command: string;
  args?: string[] | null;
  env?: { name: string; value: string }[] | null;
}
interface UserEntry {
  token?: string;
  tokenFile?: string;
  "client-certificate"?: string;
  "client-certificate-data"?: string;
  "client-key"?: string;
  "client-key-data"?: string;
  exec?: ExecEntry;
}
interface ContextEntry {
  cluster: string;
  user: string;
  namespace?: string;
}

/** A kubeconfig with one context, whole in itself: it names no file. */
export interface Kubeconfig {
  server: string;
  /** The kubeconfig as text; it holds credentials. */
  text: string;
  /** TLS and authentication of a request to the server. Runs the credential plugin once, if it has one. */
  requestOptions(): RequestOptions;
}

/**
 * Reads the context of the settings.
 * @throws SettingsError when there is no such file, or no such context in it
 */
export function contextOf(settings: { context: string; kubeconfig: string }): Kubeconfig {
  const file = path.resolve(settings.kubeconfig.replace(/^~(?=\/)/, os.homedir()));
  if (!fs.existsSync(file)) {
    throw new SettingsError([
      `matomo:cluster.kubeconfig: found "${settings.kubeconfig}"; allowed: a kubeconfig file that exists`,
    ]);
  }
  try {
    return readKubeconfig(fs.readFileSync(file, "utf8"), settings.context, path.dirname(file));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new SettingsError([
      `matomo:cluster.context: found "${settings.context}"; ${settings.kubeconfig}: ${reason}`,
    ]);
  }
}

/**
 * Reads a kubeconfig.
 * @param contextName default: its current context
 * @param folder that relative file names start from
 * @throws Error that says what is not there and what is
 */
export function readKubeconfig(text: string, contextName?: string, folder = "."): Kubeconfig {
  const all = (parse(text) ?? {}) as Record<string, Record<string, unknown>[] | string>;
  const entries = <T>(kind: string, key: string) =>
    ((all[kind] as Record<string, unknown>[] | undefined) ?? []).map((entry): Named<T> => ({
      name: String(entry.name),
      value: entry[key] as T,
    }));
  const contexts = entries<ContextEntry>("contexts", "context");
  const name = contextName ?? String(all["current-context"] ?? "");
  const context = contexts.find((entry) => entry.name === name)?.value;
  if (!context) {
    const known = contexts.map((entry) => entry.name).join(", ") || "it has none";
    throw new Error(`no context "${name}"; allowed: ${known}`);
  }
  const find = <T>(kind: string, key: string, wanted: string): T => {
    const found = entries<T>(kind, key).find((entry) => entry.name === wanted)?.value;
    if (!found)
      throw new Error(`context "${name}" names the ${key} "${wanted}", which is not there`);
    return found;
  };
  const cluster = inline(find<ClusterEntry>("clusters", "cluster", context.cluster), folder);
  const user = inline(find<UserEntry>("users", "user", context.user), folder);
  if (!cluster.server) throw new Error(`cluster "${context.cluster}" states no server`);
  if (cluster["proxy-url"]) throw new Error(`cluster "${context.cluster}" needs a proxy-url`);
  const one = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: context.cluster, cluster }],
    users: [{ name: context.user, user }],
    contexts: [{ name, context }],
    "current-context": name,
  };
  let options: RequestOptions | undefined;
  return {
    server: cluster.server,
    text: JSON.stringify(one),
    requestOptions: () => (options ??= requestOptions(cluster, user)),
  };
}

/** Puts the content of files that an entry names in the place of their names. */
function inline<T extends ClusterEntry | UserEntry>(entry: T, folder: string): T {
  const whole: Record<string, unknown> = { ...entry };
  for (const key of ["certificate-authority", "client-certificate", "client-key"]) {
    if (typeof whole[key] !== "string") continue;
    whole[`${key}-data`] = fs.readFileSync(path.resolve(folder, whole[key])).toString("base64");
    delete whole[key];
  }
  if (typeof whole.tokenFile === "string") {
    whole.token = fs.readFileSync(path.resolve(folder, whole.tokenFile), "utf8").trim();
    delete whole.tokenFile;
  }
  return whole as T;
}

function requestOptions(cluster: ClusterEntry, user: UserEntry): RequestOptions {
  const decoded = (data?: string) => (data ? Buffer.from(data, "base64") : undefined);
  const credential = user.exec ? runPlugin(user.exec) : undefined;
  const token = credential?.token ?? user.token;
  return {
    ca: decoded(cluster["certificate-authority-data"]),
    servername: cluster["tls-server-name"],
    rejectUnauthorized: !cluster["insecure-skip-tls-verify"],
    cert: credential?.clientCertificateData ?? decoded(user["client-certificate-data"]),
    key: credential?.clientKeyData ?? decoded(user["client-key-data"]),
    headers: token ? { authorization: `Bearer ${token}` } : {},
  };
}

interface ExecCredential {
  token?: string;
  clientCertificateData?: string;
  clientKeyData?: string;
}

/** Runs a credential plugin such as doctl, by the protocol of client.authentication.k8s.io. */
function runPlugin({ apiVersion, command, args, env }: ExecEntry): ExecCredential {
  const request = { apiVersion, kind: "ExecCredential", spec: { interactive: false } };
  const added = Object.fromEntries((env ?? []).map(({ name, value }) => [name, value]));
  const answer = execFileSync(command, args ?? [], {
    env: { ...process.env, ...added, KUBERNETES_EXEC_INFO: JSON.stringify(request) },
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  return (JSON.parse(answer) as { status?: ExecCredential }).status ?? {};
}
