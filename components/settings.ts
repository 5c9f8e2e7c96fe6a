/**
 * The stack's settings: one typed schema, one place for defaults (design decision 11).
 *
 * `parseSettings` is pure: it takes the stack's raw configuration and returns settings or throws
 * one `SettingsError` that lists every fault with the key, what was found and what is allowed.
 * Nothing reaches the engine before it has passed.
 */
import { z } from "zod";
import { scheduleError } from "../policy/core/cron";
import { databaseCapacity, webCapacity } from "./capacity";
import { mebibytes, parseMebibytes } from "./quantity";

/** All faults of a stack's configuration at once; `problems` has one line for each. */
export class SettingsError extends Error {
  constructor(readonly problems: string[]) {
    super(
      `the stack's settings have ${problems.length} ${problems.length === 1 ? "fault" : "faults"}, ` +
        `nothing was touched:\n${problems.map((problem) => `  - ${problem}`).join("\n")}`,
    );
    this.name = "SettingsError";
  }
}

const HOST = /^(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])$/;
const host = z.string().regex(HOST, "a host name in lower case such as matomo.example.com");

const email = z.email("an e-mail address such as admin@example.com");

const size = (minimumMib: number, example: string) =>
  z.string().refine((text) => (parseMebibytes(text) ?? 0) >= minimumMib, {
    error: `a size in Mi, Gi or Ti, at least ${minimumMib}Mi, such as ${example}`,
  });

/** DigitalOcean bills and makes volumes in whole GiB. */
const volumeSize = z.string().refine((text) => /^[1-9][0-9]{0,4}Gi$/.test(text), {
  error: "a size in whole Gi from 1Gi to 99999Gi, such as 10Gi",
});

const version = z.string().regex(/^\d+\.\d+\.\d+$/, "a full version x.y.z such as 5.5.1");

const schedule = z.string().superRefine((text, context) => {
  const fault = scheduleError(text);
  if (fault) {
    const message = `five cron fields as Kubernetes reads them, such as "5 * * * *" (${fault})`;
    context.addIssue({ code: "custom", message });
  }
});

const image = z
  .string()
  .regex(
    /^[a-z0-9][\w.:/-]*(:[\w][\w.-]*|@sha256:[0-9a-f]{64})$/,
    "an image with a tag or digest such as registry.example.com/matomo:5.5.1-apache",
  )
  .refine((text) => !text.endsWith(":latest"), "a tag that stays what it is, not latest");

const dnsLabel = z
  .string()
  .regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, "a Kubernetes name: a-z, 0-9 and -, 63 at most");

const cidr = z
  .string()
  .refine(
    (text) => z.cidrv4().safeParse(text).success || z.cidrv6().safeParse(text).success,
    "an address range in CIDR form such as 203.0.113.0/24",
  );

const timeZone = z.string().refine((zone) => {
  try {
    new Intl.DateTimeFormat("en", { timeZone: zone });
    return true;
  } catch {
    return false;
  }
}, "an IANA time zone such as Europe/Berlin");

const url = z.url({ protocol: /^https?$/, error: "a URL such as https://www.example.com" });

const clusterSchema = z.union(
  [
    z.strictObject({
      /** Name of the DigitalOcean Kubernetes cluster; its kubeconfig is fetched at each run. */
      doks: dnsLabel,
    }),
    z.strictObject({
      /** Context of a kubeconfig file. */
      context: z.string().min(1),
      /** That file; relative to the project. KUBECONFIG is never read. */
      kubeconfig: z.string().min(1).default("~/.kube/config"),
    }),
  ],
  { error: 'either {"doks": NAME} or {"context": NAME, "kubeconfig": FILE}' },
);

const schema = z.strictObject({
  /** The site's host name, as visitors' browsers reach it. */
  domain: host,
  /** Further host names of the same site. */
  aliases: z.array(host).default([]),
  /** Address of the administrator; Let's Encrypt writes to it too. */
  email,
  /** Login of the administrator that the first start makes. */
  username: z
    .string()
    .regex(/^[A-Za-z0-9][\w.@-]{1,99}$/, "2 to 100 letters, digits or _ . @ -, a letter first")
    .default("admin"),
  /** The one cluster that this stack is bound to (design decision 10). */
  cluster: clusterSchema,
  /** The first website whose visits are recorded. */
  website: z
    .strictObject({
      name: z.string().min(1).max(90).default("Website"),
      /** Defaults to the site's own address. */
      url: url.optional(),
      timezone: timeZone.default("UTC"),
    })
    .prefault({}),
  matomo: z
    .strictObject({
      version: version.default("5.5.1"),
      /** Another image of the same version: a mirror, a digest. */
      image: image.optional(),
      /** Memory limit of the web container; PHP's and Apache's limits follow from it. */
      memory: size(256, "1Gi").default("1Gi"),
      /** Requests that Apache serves at once. */
      workers: z.int().min(2).max(256).default(4),
    })
    .prefault({}),
  mariadb: z
    .strictObject({
      version: version.default("12.0.2"),
      image: image.optional(),
      /** Memory limit of the database container; its buffers follow from it. */
      memory: size(256, "1Gi").default("1Gi"),
    })
    .prefault({}),
  storage: z
    .strictObject({
      /** `dynamic`: the storage class makes the volumes. `volumes`: Pulumi makes and names them. */
      mode: z.enum(["dynamic", "volumes"]).default("dynamic"),
      data: volumeSize.default("10Gi"),
      database: volumeSize.default("8Gi"),
      backup: volumeSize.default("20Gi"),
    })
    .prefault({}),
  archive: z.strictObject({ schedule: schedule.default("5 * * * *") }).prefault({}),
  backup: z
    .strictObject({
      schedule: schedule.default("0 3 * * *"),
      /** Days; the newest proven backup stays in any case. */
      retentionDays: z.int().min(1).max(3650).default(30),
    })
    .prefault({}),
  edge: z
    .strictObject({
      kind: z.enum(["ingress", "gateway"]).default("ingress"),
      /** IngressClass or GatewayClass. `nginx` gets the annotations that ingress-nginx documents. */
      class: dnsLabel.default("nginx"),
      /** Namespace of the controller's pods, by its own name label. */
      controllerNamespace: dnsLabel.default("ingress-nginx"),
      /** Let's Encrypt: staging until the name resolves, then production (incident 16). */
      issuer: z.enum(["staging", "production"]).default("staging"),
      /** Requests per second and address (ingress-nginx limit-rps). */
      requestsPerSecond: z.int().min(1).max(10000).default(50),
      /** Public proxies before the ingress, Cloudflare's for example; the cluster's own are known. */
      proxies: z.array(cidr).default([]),
    })
    .prefault({}),
  egress: z
    .strictObject({
      /** Let Matomo fetch its GeoIP database (port 443). */
      geoip: z.boolean().default(true),
      /** Let Matomo send mail as its UI is set up (ports 465 and 587). */
      smtp: z.boolean().default(false),
    })
    .prefault({}),
});

/** The settings of one stack, defaults filled in. */
export type Settings = z.output<typeof schema>;
/** Which cluster a stack is bound to. */
export type ClusterSettings = Settings["cluster"];

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
      return `allowed: ${issue.expected}`;
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
    const shape = valueAt(schema.shape, issue.path.slice(0, 1)) as z.ZodType | undefined;
    const known = Object.keys(objectShape(issue.path.length ? shape : schema));
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
  const parsed = schema.safeParse(decoded);
  if (!parsed.success) {
    throw new SettingsError(parsed.error.issues.flatMap((issue) => describe(issue, decoded)));
  }
  const problems = contradictions(parsed.data);
  if (problems.length) throw new SettingsError(problems);
  return parsed.data;
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
