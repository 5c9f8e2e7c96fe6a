/**
 * The generated half of what the web pod mounts at /opt/matomo/config: pure functions from the
 * stack's settings to the text of each file. The other half, the scripts, are the files beside it.
 *
 * What the program owns stands in common.config.ini.php, between Matomo's defaults and the users'
 * config.ini.php; install.php takes the same keys out of config.ini.php (incidents 8 and 17).
 */

import { INSIDE_WORKERS, type WebCapacity } from "./capacity";
import type { ConfigSettings, PluginSettings, PrivacySettings } from "./settings-schema";

export interface RenderArgs extends WebCapacity {
  /** Host names of the site, the primary one first. */
  hosts: string[];
  /** First website, made when the site has none. */
  website: { name: string; url: string; timezone: string };
  database: { host: string; port: number; name: string; prefix: string };
  /** Seconds that an archive run may take. */
  archiveSeconds: number;
  /** opcache's shared memory in MiB. */
  opcacheMib: number;
  /** Address ranges of public proxies before the ingress controller, which may tell a visitor's address. */
  proxies: string[];
  /** Whether Matomo may download its GeoIP database. */
  geoip: boolean;
  /** What is recorded of a visitor. */
  privacy: PrivacySettings;
  /** Which plugins are fetched, and which are off. */
  plugins: PluginSettings;
  /** Keys of Matomo's configuration that the stack states. */
  config: ConfigSettings;
}

/** What the program, or Matomo itself, says in Matomo's configuration; undefined: all of a section. */
export const OWNED_CONFIG: Record<string, string[] | undefined> = {
  General: [
    "salt",
    "trusted_hosts",
    "installation_in_progress",
    "proxy_client_headers",
    "proxy_ips",
    "force_ssl",
    "assume_secure_protocol",
    "enable_browser_archiving_triggering",
    "archiving_range_force_on_browser_request",
    "enable_auto_update",
    "enable_installer",
    "minimum_memory_limit",
    "minimum_memory_limit_when_archiving",
    "enable_internet_features",
  ],
  database: undefined,
  Plugins: undefined,
  PluginsInstalled: undefined,
};

/** A value as Matomo writes it: quoted, with entities for what PHP's parser would read as its own. */
function iniValue(value: string | number | boolean): string {
  if (typeof value !== "string") return String(Number(value));
  const entity = (character: string) => `&#${character.charCodeAt(0)};`;
  return `"${value.replace(/[&<>"$\\]/g, entity)}"`;
}

/** The stack's keys of one section. */
function configLines(keys: ConfigSettings[string]): string[] {
  return Object.entries(keys).flatMap(([key, value]) =>
    Array.isArray(value)
      ? value.map((item) => `${key}[] = ${iniValue(item)}`)
      : [`${key} = ${iniValue(value)}`],
  );
}

/** Seconds that a PHP request may take, as the seed demands. */
export const PHP_SECONDS = 900;
/** Seconds that the install container waits for the database. */
const WAIT_SECONDS = 300;
/** Largest body of a request in MiB; the edge lets as much through. */
export const BODY_MIB = 100;

/** PHP's settings, for Apache and the console alike (PHP_INI_SCAN_DIR). */
export function phpIni(args: Pick<RenderArgs, "phpMemoryMib" | "opcacheMib">): string {
  return [
    "; Generated from the stack's settings: memory fits the container's limit (incident 15).",
    `memory_limit = ${args.phpMemoryMib}M`,
    `max_execution_time = ${PHP_SECONDS}`,
    `post_max_size = ${BODY_MIB}M`,
    `upload_max_filesize = ${BODY_MIB}M`,
    "max_file_uploads = 5",
    "sys_temp_dir = /tmp",
    "upload_tmp_dir = /tmp",
    "session.save_path = /tmp",
    "date.timezone = UTC",
    "expose_php = Off",
    "; As in the official image: what an archive run says is heard as it says it, also when it dies.",
    "output_buffering = 0",
    "display_errors = Off",
    "log_errors = On",
    "; A stack trace must not hold a password.",
    "zend.exception_ignore_args = On",
    "opcache.enable = 1",
    `opcache.memory_consumption = ${args.opcacheMib}`,
    "opcache.interned_strings_buffer = 16",
    "opcache.max_accelerated_files = 20000",
    "",
  ].join("\n");
}

/** Apache's workers, and how many of them are for what (front.conf). */
export function siteConf(
  args: Pick<RenderArgs, "workers" | "pages" | "archiverMemoryMib" | "archiveSeconds">,
): string {
  return [
    "# Generated from the stack's settings.",
    `Define WORKERS ${args.workers + INSIDE_WORKERS}`,
    `Define PAGES ${args.pages}`,
    `Define TRACKERS ${args.workers}`,
    `Define ARCHIVE_SECONDS ${args.archiveSeconds}`,
    `Define ARCHIVE_MEMORY ${args.archiverMemoryMib}M`,
    "",
  ].join("\n");
}

/** Who may tell a visitor's address besides the ingress controller (apache.conf). */
export function proxiesConf(args: Pick<RenderArgs, "proxies">): string {
  const lines = args.proxies.map((range) => `RemoteIPInternalProxy ${range}`);
  return ["# Generated from the stack's settings.", ...lines, ""].join("\n");
}

/** What the program owns of Matomo's configuration. */
export function commonConfig(
  args: Pick<RenderArgs, "phpMemoryMib" | "archiverMemoryMib" | "geoip" | "config">,
): string {
  const { General = {}, ...sections } = args.config;
  return [
    "; <?php exit; ?> DO NOT REMOVE THIS LINE",
    "; Generated from the stack's settings. Edit those: a key here is set again at each start.",
    "[General]",
    "force_ssl = 1",
    "; TLS ends before the pod, and from 5.7 on Matomo believes no header that says so: without this",
    "; each page would be sent to itself. Whoever comes by plain HTTP is sent away by Apache.",
    "assume_secure_protocol = 1",
    "; Reports are made by the archive job, never while somebody waits for a page.",
    "enable_browser_archiving_triggering = 0",
    "archiving_range_force_on_browser_request = 0",
    "; Code comes from the image: an update in the UI would be gone at the next start.",
    "enable_auto_update = 0",
    "; A site without a configuration waits for install.php instead of letting anyone claim it.",
    "enable_installer = 0",
    "; Matomo raises PHP's limit to these by itself, past what the container has (incident 15).",
    `minimum_memory_limit = ${args.phpMemoryMib}`,
    `minimum_memory_limit_when_archiving = ${args.archiverMemoryMib}`,
    ...(args.geoip
      ? []
      : [
          "; The network lets nothing out: a page or task that asks the internet would only wait.",
          "enable_internet_features = 0",
        ]),
    ...configLines(General),
    ...Object.entries(sections).flatMap(([name, keys]) => [`[${name}]`, ...configLines(keys)]),
    "",
  ].join("\n");
}

/** What install.php needs to know; no secret. */
export function settingsJson(args: RenderArgs): string {
  const { hosts, website, database, geoip, privacy, plugins, archivers } = args;
  const fixed = { forceSsl: true, waitSeconds: WAIT_SECONDS };
  const settings = { hosts, website, database, geoip, privacy, plugins, archivers, ...fixed };
  return `${JSON.stringify(settings, null, 2)}\n`;
}

/** All files of /opt/matomo/config, by name: the data of the web pod's ConfigMap. */
export function webConfig(args: RenderArgs): Record<string, string> {
  return {
    "99-matomo.ini": phpIni(args),
    "site.conf": siteConf(args),
    "proxies.conf": proxiesConf(args),
    "common.config.ini.php": commonConfig(args),
    "settings.json": settingsJson(args),
  };
}
