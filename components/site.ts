/**
 * One Matomo site: the only place that wires its components together.
 */
import * as pulumi from "@pulumi/pulumi";
import { Archive, runSeconds } from "./archive";
import { Backup } from "./backup";
import { databaseCapacity, OPCACHE_MIB, webCapacity } from "./capacity";
import { Credentials, Passwords } from "./credentials";
import { Database, DATABASE_NAME, DATABASE_PORT } from "./database";
import { Disruption } from "./disruption";
import { Edge } from "./edge";
import { NAMES, NAMESPACE } from "./labels";
import { SiteNamespace } from "./namespace";
import { Network } from "./network";
import { OffsiteBucket } from "./offsite-bucket";
import { mebibytes } from "./quantity";
import {
  edgeClass,
  offsiteRepository,
  type OffsiteSettings,
  pluginPorts,
  requestLimit,
  type Settings,
  siteHosts,
  siteImages,
  wantedVersion,
} from "./settings";
import { Storage } from "./storage";
import { SERVICE_PORT, Web } from "./web";

/** Where Matomo finds its tables. */
const DATABASE = {
  host: NAMES.database,
  port: DATABASE_PORT,
  name: DATABASE_NAME,
  prefix: "matomo_",
};

export interface MatomoSiteArgs {
  settings: Settings;
  /** DigitalOcean region of the cluster; needed with `storage.mode: volumes`. */
  region?: string;
  /** What the live namespace says whose it is; undefined when there is none. */
  liveIdentity?: string;
}

/** What a person wants to know after an `up`. No secret is among them. */
export interface SiteOutputs {
  url: string;
  adminUser: string;
  /** Prints the administrator's password. */
  passwordCommand: string;
  /** Goes into the pages of the first website. */
  trackingSnippet: string;
  namespace: pulumi.Output<string>;
  schedules: { archive: string; backup: string };
  nextSteps: string[];
}

export class MatomoSite extends pulumi.ComponentResource {
  readonly outputs: SiteOutputs;

  constructor(name: string, args: MatomoSiteArgs, opts: pulumi.ComponentResourceOptions) {
    super("matomo:index:MatomoSite", name, {}, opts);
    const { settings, region } = args;
    const hosts = siteHosts(settings);
    const images = siteImages(settings);
    const { matomo, mariadb, storage, edge, egress } = settings;
    const capacity = {
      web: fitting(webCapacity(mebibytes(matomo.memory), matomo.workers)),
      database: fitting(databaseCapacity(mebibytes(mariadb.memory), matomo.workers)),
    };

    const { offsite } = settings.backup;
    const repository = offsiteRepository(settings);
    const passwords = new Passwords("passwords", { offsite: !!offsite }, { parent: this });
    const namespace = new SiteNamespace(
      "namespace",
      { passwords, liveIdentity: args.liveIdentity },
      { parent: this },
    );
    const inNamespace = { parent: this, dependsOn: [namespace.resource] };
    const { username, email } = settings;
    const credentials = new Credentials(
      "credentials",
      { passwords, username, email, offsite: offsite && this.place(offsite) },
      inNamespace,
    );
    const volumes = new Storage("storage", { ...storage, region }, inNamespace);
    const { controllerNamespace } = edge;
    const ciliumGateway = edge.kind === "gateway" && edgeClass(settings) === "cilium";
    const network = new Network(
      "network",
      {
        ...egress,
        pluginPorts: pluginPorts(settings),
        offsite: repository,
        controllerNamespace,
        ciliumGateway,
      },
      inNamespace,
    );
    // Nothing runs before the rules are there that say whom it may talk to.
    const inNetwork = { parent: this, dependsOn: [network] };

    const database = new Database(
      "database",
      {
        image: images.mariadb,
        version: wantedVersion(settings, "mariadb"),
        memory: mariadb.memory,
        capacity: capacity.database,
        claim: volumes.databaseClaim,
        credentials: credentials.database,
      },
      inNetwork,
    );
    const web = new Web(
      "web",
      {
        image: images.matomo,
        version: wantedVersion(settings, "matomo"),
        memory: matomo.memory,
        ...capacity.web,
        opcacheMib: OPCACHE_MIB,
        archiveSeconds: runSeconds(settings.archive.timeout),
        hosts,
        website: { ...settings.website, url: settings.website.url ?? `https://${settings.domain}` },
        proxies: edge.proxies,
        geoip: egress.geoip,
        privacy: settings.privacy,
        plugins: settings.plugins,
        config: settings.config,
        database: DATABASE,
        claim: volumes.dataClaim,
        siteCredentials: credentials.site,
        databaseCredentials: credentials.database,
        backupCredentials: credentials.backup,
      },
      { parent: this, dependsOn: [network, database] },
    );
    new Archive(
      "archive",
      {
        image: images.matomo,
        ...settings.archive,
        siteHost: settings.domain,
        webHost: web.host,
        credentials: credentials.site,
      },
      inNetwork,
    );
    new Backup(
      "backup",
      {
        siteImage: images.matomo,
        databaseImage: images.mariadb,
        ...settings.backup,
        offsite: repository && { repository, credentials: credentials.offsite! },
        claim: volumes.backupClaim,
        webHost: web.host,
        databaseHost: database.host,
        databaseSize: settings.storage.database,
        tablePrefix: DATABASE.prefix,
        siteHost: settings.domain,
        databaseCredentials: credentials.database,
        backupCredentials: credentials.backup,
      },
      inNetwork,
    );
    new Edge(
      "edge",
      {
        ...edge,
        class: edgeClass(settings),
        requestsPerSecond: requestLimit(settings),
        hosts,
        email,
        service: web.host,
        servicePort: SERVICE_PORT,
      },
      inNetwork,
    );
    new Disruption("disruption", inNamespace);

    this.outputs = siteOutputs(settings, namespace.name);
    this.registerOutputs({ ...this.outputs });
  }

  /** The key pair of the bucket that backups are brought to, and the password of a repository in it. */
  private place({ create, bucket, region, repositoryPassword, ...stated }: OffsiteSettings) {
    const key = create
      ? new OffsiteBucket("offsite-bucket", { bucket, region }, { parent: this }).key
      : { accessKeyId: stated.accessKeyId!, secretAccessKey: stated.secretAccessKey! };
    return { key, repositoryPassword };
  }
}

/** The settings have been checked: what does not fit never comes this far. */
function fitting<T extends object>(capacity: T | string): T {
  if (typeof capacity === "string") throw new Error(capacity);
  return capacity;
}

function siteOutputs(settings: Settings, namespace: pulumi.Output<string>): SiteOutputs {
  const url = `https://${settings.domain}/`;
  const kubectl = `kubectl -n ${NAMESPACE}`;
  return {
    url,
    adminUser: settings.username,
    passwordCommand: `${kubectl} get secret ${NAMES.web} -o go-template='{{index .data "matomo-password" | base64decode}}'`,
    trackingSnippet: trackingSnippet(url),
    namespace,
    schedules: { archive: settings.archive.schedule, backup: settings.backup.schedule },
    nextSteps: [
      `point ${siteHosts(settings).join(" and ")} at the address of: ${kubectl} get ingress,gateway`,
      ...(settings.edge.issuer === "staging"
        ? [
            "once the staging certificate is there: pulumi config set --path matomo:edge.issuer production",
          ]
        : []),
      `back up now: ${kubectl} create job --from=cronjob/${NAMES.backup} ${NAMES.backup}-first`,
    ],
  };
}

/** Matomo's JavaScript tracking code for the first website, as its UI shows it. */
export function trackingSnippet(url: string): string {
  return `<script>
  var _paq = window._paq = window._paq || [];
  _paq.push(["trackPageView"]);
  _paq.push(["enableLinkTracking"]);
  (function() {
    var u = "${url}";
    _paq.push(["setTrackerUrl", u + "matomo.php"]);
    _paq.push(["setSiteId", "1"]);
    var d = document, g = d.createElement("script"), s = d.getElementsByTagName("script")[0];
    g.async = true; g.src = u + "matomo.js"; s.parentNode.insertBefore(g, s);
  })();
</script>`;
}
