/**
 * The stack's settings, checked (design decision 11).
 *
 * `parseSettings` is pure: it takes the stack's raw configuration and returns settings or throws
 * one `SettingsError` that lists every fault with the key, what was found and what is allowed.
 * Nothing reaches the engine before it has passed.
 */
import { z } from "zod";
import { largestDatabase, roomForBackup } from "./backup-size";
import { databaseCapacity, webCapacity } from "./capacity";
import { Refusal } from "./failure";
import { mebibytes } from "./quantity";
import {
  type ClusterSettings,
  OFFSITE_SECRETS,
  type OffsiteSettings,
  type Settings,
  settingsSchema,
} from "./settings-schema";
import { OWNED_CONFIG } from "./web-config";
import { compareVersions, imageVersion, UNTRIED_MATOMO } from "./versions";

export { OFFSITE_SECRETS };
export type { ClusterSettings, OffsiteSettings, Settings };

/** All faults of a stack's configuration at once; `problems` has one line for each. */
export class SettingsError extends Refusal {
  constructor(readonly problems: string[]) {
    super(
      `the stack's settings have ${problems.length} ${problems.length === 1 ? "fault" : "faults"}, ` +
        `nothing was touched:\n${problems.map((problem) => `  - ${problem}`).join("\n")}`,
    );
    this.name = "SettingsError";
  }
}

const TEXT_KEYS = new Set(["domain", "email", "username"]);

/** What Pulumi hands over: keys without the project's prefix, values as text. */
function decode(raw: Record<string, string>): Record<string, unknown> {
  const decoded = Object.entries(raw).map(([key, text]): [string, unknown] => {
    if (TEXT_KEYS.has(key)) return [key, text];
    try {
      return [key, JSON.parse(text)];
    } catch {
      return [key, text];
    }
  });
  return Object.fromEntries(decoded);
}

function valueAt(root: unknown, path: PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, key) => (value as Record<PropertyKey, unknown> | undefined)?.[key],
    root,
  );
}

function allowed(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case "invalid_value":
      return `allowed: one of ${issue.values.join(", ")}`;
    case "invalid_type":
      return `allowed: ${issue.message.startsWith("Invalid") ? issue.expected : issue.message}`;
    case "too_small":
      return `allowed: ${issue.minimum} at least`;
    case "too_big":
      return `allowed: ${issue.maximum} at most`;
    default:
      return `allowed: ${issue.message}`;
  }
}

function describe(issue: z.core.$ZodIssue, root: unknown): string[] {
  const key = (path: PropertyKey[]) => `matomo:${path.map(String).join(".")}`;
  if (issue.code === "unrecognized_keys") {
    const shape = valueAt(settingsSchema.shape, issue.path.slice(0, 1)) as z.ZodType | undefined;
    const known = settingNames(issue.path.length ? shape : settingsSchema);
    return issue.keys.map(
      (name) => `${key([...issue.path, name])}: no such setting; allowed: ${known.join(", ")}`,
    );
  }
  const found = valueAt(root, issue.path);
  const shown = found === undefined ? "missing" : `found ${shownValue(found, issue.path)}`;
  return [`${key(issue.path)}: ${shown}; ${allowed(issue)}`];
}

/** A value as an error may show it: without a secret in it, whatever else is wrong with it. */
function shownValue(found: unknown, path: PropertyKey[]): string {
  const isSecret = (key: PropertyKey) => (OFFSITE_SECRETS as readonly PropertyKey[]).includes(key);
  if (path.some(isSecret)) return "a value that is not shown";
  // Text that is to be an object is no JSON: what it holds is not known.
  if (path[0] === "backup" && path.length === 1 && typeof found === "string") {
    return `a text of ${found.length} characters`;
  }
  return JSON.stringify(found, (key, value: unknown) => (isSecret(key) ? "…" : value));
}

/** Keys that an object of the schema may have; of a choice between objects, all of theirs. */
function settingNames(type: z.ZodType | undefined): string[] {
  if (type instanceof z.ZodPrefault) return settingNames(type.unwrap() as z.ZodType);
  if (type instanceof z.ZodUnion) {
    const names = type.options.flatMap((option) => settingNames(option as z.ZodType));
    return [...new Set(names)];
  }
  return type instanceof z.ZodObject ? Object.keys(type.shape) : [];
}

/** Faults that no single key shows, between keys that have none: limits, names stated twice. */
function contradictions({ matomo, mariadb, ...settings }: Partial<Settings>): string[] {
  const problems: string[] = [];
  const check = (key: string, found: string, result: object | string) => {
    if (typeof result === "string") problems.push(`matomo:${key}: found "${found}"; ${result}`);
  };
  if (matomo) {
    check("matomo.memory", matomo.memory, webCapacity(mebibytes(matomo.memory), matomo.workers));
  }
  if (matomo && mariadb) {
    const database = databaseCapacity(mebibytes(mariadb.memory), matomo.workers);
    check("mariadb.memory", mariadb.memory, database);
  }
  const repeated = (settings.aliases ?? []).filter((alias, i, all) => {
    return alias === settings.domain || all.indexOf(alias) !== i;
  });
  for (const alias of repeated) {
    problems.push(`matomo:aliases: found "${alias}" twice; allowed: each host name once`);
  }
  const { storage, cluster, edge, plugins } = settings;
  const declared = plugins?.install.map(({ name }) => name) ?? [];
  for (const name of new Set(declared.filter((name, i) => declared.indexOf(name) !== i))) {
    problems.push(`matomo:plugins.install: found "${name}" twice; allowed: each plugin once`);
  }
  for (const name of declared.filter((name) => plugins?.disabled.includes(name))) {
    problems.push(
      `matomo:plugins.disabled: found "${name}", which matomo:plugins.install activates; ` +
        "allowed: one of both",
    );
  }
  if (storage?.mode === "volumes" && cluster && !("doks" in cluster)) {
    problems.push(
      'matomo:storage.mode: found "volumes"; allowed: "dynamic", because matomo:cluster names no ' +
        "DigitalOcean cluster that a volume could be made for",
    );
  }
  if (edge?.requestsPerSecond !== undefined && requestLimit({ edge }) === undefined) {
    problems.push(
      `matomo:edge.requestsPerSecond: found ${edge.requestsPerSecond}; allowed: none, because the ` +
        `controller of class "${edgeClass({ edge })}" is told no limit: set it at the controller`,
    );
  }
  return problems;
}

/** An image whose tag does not tell its version needs it stated: a default would be a guess. */
function unknownVersions(sound: Partial<Settings>, decoded: Record<string, unknown>): string[] {
  return (["matomo", "mariadb"] as const).flatMap((program) => {
    if (!sound[program]) return [];
    const { image, version } = (decoded[program] ?? {}) as Record<string, unknown>;
    if (typeof image !== "string" || version !== undefined || imageVersion(image)) return [];
    return [
      `matomo:${program}.version: missing; allowed: the version x.y.z of the image, which ` +
        `"${image}" does not tell`,
    ];
  });
}

/** Names of keys whose value nobody but Matomo should read. */
const SECRET_KEY = /(^|_)(password|secret|token|salt|api_key|license_key)$/;

/** Keys of Matomo's configuration that are not the stack's to state. */
function foreignConfig({ config = {} }: Partial<Settings>): string[] {
  return Object.entries(config).flatMap(([section, keys]) =>
    Object.keys(keys).flatMap((key) => {
      const name = `matomo:config.${section}.${key}`;
      if (Object.hasOwn(OWNED_CONFIG, section) && (OWNED_CONFIG[section]?.includes(key) ?? true)) {
        return [`${name}: stated; allowed: none, because the program or Matomo itself sets it`];
      }
      if (!SECRET_KEY.test(key)) return [];
      return [
        `${name}: stated; allowed: no secret, as the stack's file and a ConfigMap would show it: set it ` +
          "in Matomo's UI or in config.ini.php",
      ];
    }),
  );
}

/** A Matomo that nobody has tried with the pods' scripts; they refuse it too, whatever its tag says. */
function untriedVersion({ matomo }: Partial<Settings>): string[] {
  if (!matomo) return [];
  const tagged = imageVersion(matomo.image ?? "");
  const wanted = tagged ?? matomo.version;
  if (compareVersions(wanted, UNTRIED_MATOMO) < 0) return [];
  const [key, found] = tagged ? ["image", matomo.image] : ["version", wanted];
  return [
    `matomo:matomo.${key}: found "${found}"; allowed: a version before ${UNTRIED_MATOMO}, which renames ` +
      "the classes that the install works by and has not been tried yet",
  ];
}

/** The keys that have no fault of their own. */
function soundParts(decoded: Record<string, unknown>): Partial<Settings> {
  const parts = Object.entries(settingsSchema.shape).flatMap(([key, schema]) => {
    const part = (schema as z.ZodType).safeParse(decoded[key]);
    return part.success ? [[key, part.data]] : [];
  });
  return Object.fromEntries(parts) as Partial<Settings>;
}

/** What is said of a secret that the stack's file shows to everybody who reads it. */
export function clearText(path: string): string {
  const key = `matomo:${path}`;
  return (
    `${key}: found clear text; allowed: an encrypted value: ` +
    `pulumi config set --secret --path ${key}`
  );
}

/** Secrets of the off-site place where nothing of it is encrypted. */
function shownSecrets(
  { backup }: Partial<Settings>,
  isEncrypted: (key: string) => boolean,
): string[] {
  const offsite = backup?.offsite;
  if (!offsite || isEncrypted("backup")) return [];
  return OFFSITE_SECRETS.filter((name) => offsite[name] !== undefined).map((name) =>
    clearText(`backup.offsite.${name}`),
  );
}

/**
 * The settings of a stack from its raw configuration (keys without `matomo:`).
 * @param isEncrypted whether the stack's file has a key encrypted, as far as that is to be judged here
 * @throws SettingsError with every fault at once
 */
export function parseSettings(
  raw: Record<string, string>,
  isEncrypted: (key: string) => boolean = () => true,
): Settings {
  const decoded = decode(raw);
  const parsed = settingsSchema.safeParse(decoded);
  const sound = parsed.data ?? soundParts(decoded);
  const problems = [
    ...(parsed.error?.issues ?? []).flatMap((issue) => describe(issue, decoded)),
    ...contradictions(sound),
    ...unknownVersions(sound, decoded),
    ...untriedVersion(sound),
    ...foreignConfig(sound),
    ...shownSecrets(sound, isEncrypted),
  ];
  if (!parsed.success || problems.length) throw new SettingsError(problems);
  return parsed.data;
}

/**
 * What a stack can be deployed with, and will be sorry for: a line each, with the key that it is about. An
 * `up` says them as warnings, and a pull request's comment has them.
 */
export function settingsWarnings({ storage, backup }: Settings): string[] {
  const gibibytes = (mib: number, round: (tenths: number) => number) =>
    `${round((mib / 1024) * 10) / 10}Gi`;
  const [database, volume] = [mebibytes(storage.database), mebibytes(storage.backup)];
  const needed = roomForBackup(database);
  if (needed <= volume) return [];
  return [
    `matomo:storage.backup: found "${storage.backup}", which has no room for a backup of a database that ` +
      `fills its volume of ${storage.database}: making and proving one takes ${gibibytes(needed, Math.ceil)}, and ` +
      `the ${backup.retentionDays} days of matomo:backup.retentionDays come on top. Backups fail from ` +
      `${gibibytes(largestDatabase(volume), Math.floor)} of database on: grow the volume before`,
  ];
}

/** A repository of restic in a bucket: all but its secrets. */
export interface Repository {
  /** As restic names it. */
  url: string;
  region: string;
  /** Where its server listens: a host name or an address, and the port. */
  host: string;
  port: number;
}

/** The off-site repository of a stack; undefined where it has none. */
export function offsiteRepository({ domain, backup }: Settings): Repository | undefined {
  if (!backup.offsite) return undefined;
  const { region, bucket, prefix = domain } = backup.offsite;
  const { endpoint = `https://${region}.digitaloceanspaces.com` } = backup.offsite;
  const { origin, hostname, port } = new URL(endpoint);
  const url = `s3:${origin}/${bucket}/${prefix}`;
  return { url, region, host: hostname, port: Number(port) || 443 };
}

/** The IngressClass or GatewayClass: the stated one, or what DOKS clusters have. */
export function edgeClass({ edge }: Pick<Settings, "edge">): string {
  return edge.class ?? (edge.kind === "ingress" ? "nginx" : "cilium");
}

/**
 * Requests per second and address that the controller is told to take; undefined where it is none of
 * ingress-nginx. A cluster with two of that names its classes `nginx-public` and the like.
 */
export function requestLimit({ edge }: Pick<Settings, "edge">): number | undefined {
  const isNginx = edge.kind === "ingress" && edgeClass({ edge }).split("-").includes("nginx");
  return isNginx ? (edge.requestsPerSecond ?? 50) : undefined;
}

/** Ports at which the declared plugins are fetched. */
export function pluginPorts({ plugins }: Pick<Settings, "plugins">): number[] {
  return plugins.install.map(({ url }) => {
    const { port, protocol } = new URL(url);
    return Number(port) || (protocol === "https:" ? 443 : 80);
  });
}

/** All host names of the site, the primary one first. */
export function siteHosts(settings: Settings): string[] {
  return [settings.domain, ...settings.aliases];
}

/**
 * The version that a program is to run: what an image of one's own is tagged with, as far as the tag
 * tells one, else the stated version.
 */
export function wantedVersion(settings: Settings, program: "matomo" | "mariadb"): string {
  const { image, version } = settings[program];
  return (image === undefined ? undefined : imageVersion(image)) ?? version;
}

/** The image of each program: the stated one, or the official one of the stated version. */
export function siteImages(settings: Settings): { matomo: string; mariadb: string } {
  return {
    matomo: settings.matomo.image ?? `matomo:${settings.matomo.version}-apache`,
    mariadb: settings.mariadb.image ?? `mariadb:${settings.mariadb.version}`,
  };
}
