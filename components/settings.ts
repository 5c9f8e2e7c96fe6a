/**
 * The stack's settings, checked (design decision 11).
 *
 * `parseSettings` is pure: it takes the stack's raw configuration and returns settings or throws
 * one `SettingsError` that lists every fault with the key, what was found and what is allowed.
 * Nothing reaches the engine before it has passed.
 */
import { z } from "zod";
import { databaseCapacity, webCapacity } from "./capacity";
import { Refusal } from "./failure";
import { mebibytes } from "./quantity";
import { type ClusterSettings, type Settings, settingsSchema } from "./settings-schema";

export type { ClusterSettings, Settings };

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
    const known = Object.keys(objectShape(issue.path.length ? shape : settingsSchema));
    return issue.keys.map(
      (name) => `${key([...issue.path, name])}: no such setting; allowed: ${known.join(", ")}`,
    );
  }
  const found = valueAt(root, issue.path);
  const shown = found === undefined ? "missing" : `found ${JSON.stringify(found)}`;
  return [`${key(issue.path)}: ${shown}; ${allowed(issue)}`];
}

function objectShape(type: z.ZodType | undefined): Record<string, unknown> {
  if (type instanceof z.ZodPrefault) return objectShape(type.unwrap() as z.ZodType);
  return type instanceof z.ZodObject ? type.shape : {};
}

/** Faults that no single key shows: limits that contradict each other, names stated twice. */
function contradictions(settings: Settings): string[] {
  const problems: string[] = [];
  const check = (key: string, found: string, result: object | string) => {
    if (typeof result === "string") problems.push(`matomo:${key}: found "${found}"; ${result}`);
  };
  const { matomo, mariadb } = settings;
  check("matomo.memory", matomo.memory, webCapacity(mebibytes(matomo.memory), matomo.workers));
  const database = databaseCapacity(mebibytes(mariadb.memory), matomo.workers);
  check("mariadb.memory", mariadb.memory, database);
  const repeated = settings.aliases.filter((alias, i, all) => {
    return alias === settings.domain || all.indexOf(alias) !== i;
  });
  for (const alias of repeated) {
    problems.push(`matomo:aliases: found "${alias}" twice; allowed: each host name once`);
  }
  if (settings.storage.mode === "volumes" && !("doks" in settings.cluster)) {
    problems.push(
      'matomo:storage.mode: found "volumes"; allowed: "dynamic", because matomo:cluster names no ' +
        "DigitalOcean cluster that a volume could be made for",
    );
  }
  return problems;
}

/**
 * The settings of a stack from its raw configuration (keys without `matomo:`).
 * @throws SettingsError with every fault at once
 */
export function parseSettings(raw: Record<string, string>): Settings {
  const decoded = decode(raw);
  const parsed = settingsSchema.safeParse(decoded);
  if (!parsed.success) {
    throw new SettingsError(parsed.error.issues.flatMap((issue) => describe(issue, decoded)));
  }
  const problems = contradictions(parsed.data);
  if (problems.length) throw new SettingsError(problems);
  return parsed.data;
}

/** The IngressClass or GatewayClass: the stated one, or what DOKS clusters have. */
export function edgeClass({ edge }: Settings): string {
  return edge.class ?? (edge.kind === "ingress" ? "nginx" : "cilium");
}

/** All host names of the site, the primary one first. */
export function siteHosts(settings: Settings): string[] {
  return [settings.domain, ...settings.aliases];
}

/** The image of each program: the stated one, or the official one of the stated version. */
export function siteImages(settings: Settings): { matomo: string; mariadb: string } {
  return {
    matomo: settings.matomo.image ?? `matomo:${settings.matomo.version}-apache`,
    mariadb: settings.mariadb.image ?? `mariadb:${settings.mariadb.version}`,
  };
}
