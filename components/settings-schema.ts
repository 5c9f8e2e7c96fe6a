/**
 * The schema of the stack's settings: each key with what is allowed, and the only defaults there
 * are (design decision 11).
 */
import { z } from "zod";
import { isTimeZone, scheduleError } from "../policy/core/cron";
import { isMoving } from "../policy/core/images";
import { parseMebibytes } from "./quantity";
import { holdsPrivate } from "./ranges";

/** Text of a certain form; one message says what is allowed, whatever was found. */
const text = (pattern: RegExp, allowed: string) =>
  z.string({ error: allowed }).regex(pattern, allowed);
const accepted = (test: (text: string) => boolean, allowed: string) =>
  z.string({ error: allowed }).refine(test, { error: allowed });

const HOST = /^(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])$/;
const host = text(HOST, "a host name in lower case such as matomo.example.com");

const email = z.email("an e-mail address such as admin@example.com");

const size = (minimumMib: number, example: string) =>
  accepted(
    (text) => (parseMebibytes(text) ?? 0) >= minimumMib,
    `a size in Mi, Gi or Ti, at least ${minimumMib}Mi, such as ${example}`,
  );

/** DigitalOcean bills and makes volumes in whole GiB. */
const volumeSize = text(
  /^[1-9][0-9]{0,4}Gi$/,
  "a size in whole Gi from 1Gi to 99999Gi, such as 10Gi",
);

const processors = text(
  /^([1-9]|[5-9]\dm|[1-9]\d{2,3}m)$/,
  "processors, at least 50m, such as 200m or 1",
);

const version = text(/^\d+\.\d+\.\d+$/, "a full version x.y.z such as 5.5.1");

const schedule = z.string({ error: "five cron fields" }).superRefine((text, context) => {
  const fault = scheduleError(text);
  if (fault) {
    const message = `five cron fields as Kubernetes reads them, such as "5 * * * *" (${fault})`;
    context.addIssue({ code: "custom", message });
  }
});

const image = text(
  /^[a-z0-9][\w.:/-]*(:[\w][\w.-]*|@sha256:[0-9a-f]{64})$/,
  "an image with a tag or digest such as registry.example.com/matomo:5.5.1-apache",
).refine((text) => !isMoving(text), "a tag that stays what it is, not latest, lts or the like");

const dnsLabel = text(
  /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/,
  "a Kubernetes name: a-z, 0-9 and -, 63 at most",
);

/** A private range holds pods, and no pod may tell a visitor's address (scripts/apache.conf). */
const publicRange = accepted(
  (text) =>
    (z.cidrv4().safeParse(text).success || z.cidrv6().safeParse(text).success) &&
    !holdsPrivate(text),
  "a public address range in CIDR form such as 203.0.113.0/24",
);

const timeZone = accepted(isTimeZone, "an IANA time zone such as Europe/Berlin");

/** A folder below plugins/, and a namespace of PHP. */
const pluginName = text(/^[A-Z][A-Za-z0-9]{1,59}$/, "a plugin's name such as CustomReports");

const declaredPlugin = z.strictObject({
  name: pluginName,
  version: text(/^\d[\w.-]{0,29}$/, "the version that its plugin.json states, such as 5.2.1"),
  /** The zip; whoever may see the stack's settings sees it. */
  url: accepted((text) => {
    const { username, password } = URL.canParse(text) ? new URL(text) : { username: "-" };
    return /^https?:\/\/[^/\s]/.test(text) && !username && !password;
  }, "the address of a zip such as https://example.com/CustomReports-5.2.1.zip, without a password"),
  sha256: text(/^[0-9a-f]{64}$/, "the zip's SHA-256: 64 digits of 0-9 and a-f"),
});

const url = z.url({ protocol: /^https?$/, error: "a URL such as https://www.example.com" });

const ONE_LINE = "a text of one line, a number, true, false, or a list of texts and numbers";
/** One key of Matomo's configuration: a value, or a list of them. Control characters would end its line. */
const configValue = z.union(
  [
    z.string().regex(/^\P{Cc}*$/u, ONE_LINE),
    z.number(),
    z.boolean(),
    z.array(z.union([z.string().regex(/^\P{Cc}*$/u, ONE_LINE), z.number()])).min(1),
  ],
  { error: ONE_LINE },
);
/** Words that PHP reads as values are no names. */
const configName = z.string().regex(/^(?!(null|yes|no|true|false|on|off|none)$)[a-z][a-z0-9_]*$/i);

/** Part of a bucket's key pair: as it stands in a file, without quotes. */
const KEY_PART = "8 to 128 letters, digits or / + = _ -";
const keyPart = text(/^[A-Za-z0-9/+=_-]{8,128}$/, KEY_PART);
const ENDPOINT =
  "an address such as https://fra1.digitaloceanspaces.com, without a path or a password";

const offsiteFields = z.strictObject({
  /** The program makes the bucket, a Space of DigitalOcean, and a key pair for it alone. */
  create: z.boolean().default(false),
  /** Address of the S3 server; the backup's pod may then reach its port. Not with `create`. */
  endpoint: accepted((text) => {
    const found = URL.canParse(text) ? new URL(text) : undefined;
    return found?.protocol === "https:" && [found.origin, `${found.origin}/`].includes(text);
  }, ENDPOINT).optional(),
  /** As the server names it. */
  region: text(/^[a-z0-9-]{2,40}$/, "a region such as fra1").default("us-east-1"),
  bucket: text(
    /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/,
    "a bucket's name: 3 to 63 of a-z, 0-9, . and -, such as liberty-backups",
  ),
  /** Folder of the bucket, one for each site. Default: the domain. */
  prefix: text(
    /^[A-Za-z0-9][\w.-]*(\/[A-Za-z0-9][\w.-]*)*$/,
    "a folder of letters, digits and . _ -, such as matomo/liberty",
  ).optional(),
  /** The bucket's key pair, but with `create`. Encrypted in the stack's file, as what follows. */
  accessKeyId: keyPart.optional(),
  secretAccessKey: keyPart.optional(),
  /** Password of a repository that another stack made. Default: one that is made once. */
  repositoryPassword: text(
    /^[\x21-\x7e]{16,128}$/,
    "16 to 128 characters of ASCII without spaces",
  ).optional(),
});

/** What says where a bucket is that somebody made; one that the program makes needs none of it. */
const ELSEWHERE = { endpoint: ENDPOINT, accessKeyId: KEY_PART, secretAccessKey: KEY_PART };

/** Which of them are there; looked at beside whatever else is wrong. */
const offsiteSchema = Object.entries(ELSEWHERE).reduce(
  (schema, [key, allowed]) =>
    schema
      .refine((place) => place.create || key in place, {
        path: [key],
        error: allowed,
        when: ({ value }) => isPlace(value),
      })
      .refine((place) => !place.create || !(key in place), {
        path: [key],
        error: "none, because matomo:backup.offsite.create makes the bucket and its key",
        when: ({ value }) => isPlace(value),
      }),
  offsiteFields.refine(({ create, region }) => !create || /^[a-z]{3}\d$/.test(region), {
    path: ["region"],
    error: "a region of DigitalOcean Spaces such as fra1, as the bucket is made there",
    when: ({ value }) => isPlace(value),
  }),
);

function isPlace(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Settings of `backup.offsite` that nobody but the stack should read. */
export const OFFSITE_SECRETS = ["accessKeyId", "secretAccessKey", "repositoryPassword"] as const;

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

/** A stack's settings. Every default is here and nowhere else. */
export const settingsSchema = z.strictObject({
  /** The site's host name, as visitors' browsers reach it. */
  domain: host,
  /** Further host names of the same site. */
  aliases: z.array(host).default([]),
  /** Address of the administrator; Let's Encrypt writes to it too. */
  email,
  /** Login of the administrator that the first start makes. */
  username: text(
    /^[A-Za-z0-9][\w.@-]{1,99}$/,
    "2 to 100 letters, digits or _ . @ -, a letter or digit first",
  ).default("admin"),
  /** The one cluster that this stack is bound to (design decision 10). */
  cluster: clusterSchema,
  /** The first website whose visits are recorded. */
  website: z
    .strictObject({
      name: text(/^.{1,90}$/, "1 to 90 characters").default("Website"),
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
  archive: z
    .strictObject({
      schedule: schedule.default("5 * * * *"),
      /** Seconds that a run may take, 400 of them for a pod that restarts; none begins meanwhile. */
      timeout: z.int().min(600).max(86400).default(3300),
      /** Limits of the job, which only waits: reports are made in the web container. */
      memory: size(64, "256Mi").default("256Mi"),
      cpu: processors.default("200m"),
    })
    .prefault({}),
  backup: z
    .strictObject({
      schedule: schedule.default("0 3 * * *"),
      /** Days; the newest proven backup stays in any case. */
      retentionDays: z.int().min(1).max(3650).default(30),
      /**
       * Seconds that a backup, or a restore, may take. Default: half an hour for each GiB of
       * `storage.database`, at least four hours and at most 23.
       */
      timeout: z.int().min(600).max(86400).optional(),
      /** Limits of the job. Its memory does not grow with the database, its time does. */
      memory: size(256, "512Mi").default("256Mi"),
      cpu: processors.default("200m"),
      /** Where each proven backup is brought as well, encrypted, and read back. */
      offsite: offsiteSchema.optional(),
    })
    .prefault({}),
  edge: z
    .strictObject({
      kind: z.enum(["ingress", "gateway"]).default("ingress"),
      /** IngressClass or GatewayClass; default: nginx for an Ingress, cilium for a Gateway. */
      class: dnsLabel.optional(),
      /** Namespace of the controller's pods. Cilium's Gateway has none and needs none. */
      controllerNamespace: dnsLabel.default("ingress-nginx"),
      /** Let's Encrypt: staging until the name resolves, then production (incident 16). */
      issuer: z.enum(["staging", "production"]).default("staging"),
      /** Requests per second and address; default: 50. ingress-nginx alone takes it, as limit-rps. */
      requestsPerSecond: z.int().min(1).max(10000).optional(),
      /** Public proxies before the ingress controller, Cloudflare's for example. */
      proxies: z.array(publicRange).default([]),
    })
    .prefault({}),
  /** What a site records of its visitors. What is not stated here is left to Matomo's own UI. */
  privacy: z
    .strictObject({
      /**
       * Bytes of a visitor's address that are masked before it is stored: so many at least, a person
       * may mask more in the UI. 0 stores the whole address.
       */
      anonymizeIp: z.int().min(0).max(4).default(2),
      /** Days after which a visit's raw data is deleted; reports made of it stay. */
      retentionDays: z.int().min(1).max(3650).optional(),
      /** Record nothing of a browser that sends Do Not Track. */
      doNotTrack: z.boolean().optional(),
      /** Track without cookies, whatever a page's tracking code asks for. */
      cookieless: z.boolean().optional(),
    })
    .prefault({}),
  /** Plugins that are no part of Matomo. One that a person adds in the UI needs no word here. */
  plugins: z
    .strictObject({
      /** Fetched, checked and activated at a start; the web pod may then reach their ports. */
      install: z.array(declaredPlugin).default([]),
      /** Switched off before Matomo starts, one that breaks it too. Its data stays. */
      disabled: z.array(pluginName).default([]),
    })
    .prefault({}),
  /**
   * Any other key of Matomo's configuration, by section and key: set again at each start, and gone with
   * the setting. No secret: what stands here is readable in the stack's file and in a ConfigMap.
   */
  config: z.record(configName, z.record(configName, configValue)).default({}),
  egress: z
    .strictObject({
      /**
       * Let Matomo reach the internet (port 443): its GeoIP database, the Marketplace, news of versions.
       * Without it Matomo is told so, and asks nobody.
       */
      geoip: z.boolean().default(true),
      /** Let Matomo send mail as its UI is set up (ports 465 and 587). */
      smtp: z.boolean().default(false),
    })
    .prefault({}),
});

/** The settings of one stack, defaults filled in. */
export type Settings = z.output<typeof settingsSchema>;
/** Which cluster a stack is bound to. */
export type ClusterSettings = Settings["cluster"];
/** Where backups are brought as well. */
export type OffsiteSettings = NonNullable<Settings["backup"]["offsite"]>;
/** Plugins that are no part of Matomo. */
export type PluginSettings = Settings["plugins"];
/** Keys of Matomo's configuration, by section. */
export type ConfigSettings = Settings["config"];
/** What a site records of its visitors. */
export type PrivacySettings = Settings["privacy"];
