import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";
import { largestDatabase, roomForBackup } from "../../components/backup-size";
import { conflictsWithLive, type Live } from "../../components/live";
import {
  offsiteRepository,
  parseSettings,
  requestLimit,
  SettingsError,
  settingsWarnings,
} from "../../components/settings";
import { checkout } from "../../local/paths";
import { MINIMAL } from "../render";
import { OFFSITE } from "../scenarios";

/** The least that a stack states, changed; undefined takes a key out. */
function configuration(changes: Changes): Record<string, string> {
  const stated = Object.entries({ ...MINIMAL, ...changes }).filter(([, value]) => value != null);
  return Object.fromEntries(stated) as Record<string, string>;
}

/** Every fault that a configuration is refused for. */
function faults(changes: Changes): string[] {
  try {
    parseSettings(configuration(changes));
  } catch (error) {
    assert.ok(error instanceof SettingsError, `not a SettingsError: ${error}`);
    return error.problems;
  }
  return [];
}

/** A setting in a group, as `pulumi config set --path` stores it. */
const at = (group: string, value: object) => ({ [group]: JSON.stringify(value) });

/** A bad setting, the key that the message names, what it found and what it allows. */
type Changes = Record<string, string | undefined>;
type Row = [what: string, changes: Changes, message: RegExp];

const PLUGIN = {
  name: "CustomReports",
  version: "5.2.1",
  url: "https://plugins.example.com/CustomReports-5.2.1.zip",
  sha256: "0123456789abcdef".repeat(4),
};

const ROWS: Row[] = [
  ["no domain", { domain: undefined }, /^matomo:domain: missing; allowed: a host name/],
  ["no e-mail", { email: undefined }, /^matomo:email: missing; allowed:/],
  ["no cluster", { cluster: undefined }, /^matomo:cluster: missing; allowed: either {"doks"/],
  ["domain with a scheme", { domain: "https://m.example.com" }, /domain: found "https.*host name/],
  ["domain with a path", { domain: "m.example.com/stats" }, /domain: found.*host name/],
  ["domain with a port", { domain: "m.example.com:8080" }, /domain: found.*host name/],
  ["domain in capitals", { domain: "M.example.com" }, /domain: found.*lower case/],
  ["domain without a dot", { domain: "localhost" }, /domain: found.*host name/],
  ["domain with an underscore", { domain: "a_b.example.com" }, /domain: found.*host name/],
  ["domain that is an address", { domain: "192.0.2.1" }, /domain: found.*host name/],
  ["wildcard domain", { domain: "*.example.com" }, /domain: found.*host name/],
  ["empty domain", { domain: "" }, /domain: found "".*host name/],
  ["domain label too long", { domain: `${"a".repeat(64)}.example.com` }, /domain: found.*host/],
  ["e-mail without @", { email: "admin.example.com" }, /email: found.*an e-mail address/],
  ["e-mail without domain", { email: "admin@" }, /email: found.*an e-mail address/],
  ["two e-mails", { email: "a@example.com,b@example.com" }, /email: found.*an e-mail address/],
  ["username with a space", { username: "the admin" }, /username: found "the admin".*letters/],
  ["username of one letter", { username: "a" }, /username: found "a".*2 to 100/],
  ["unknown key", { domian: "m.example.com" }, /^matomo:domian: no such setting; allowed: domain,/],
  [
    "unknown key in a group",
    at("matomo", { verison: "5.5.1" }),
    /matomo\.verison: no such setting; allowed: version, image, memory/,
  ],
  ["group that is text", { matomo: "5.5.1" }, /^matomo:matomo: found "5.5.1"; allowed: object/],
  ["group that is a list", { backup: "[]" }, /^matomo:backup: found \[\]; allowed: object/],
  [
    "aliases that are text",
    { aliases: "a.example.com" },
    /aliases: found "a.example.com"; allowed: array/,
  ],
  ["alias that is no host", { aliases: '["a b"]' }, /aliases\.0: found "a b".*host name/],
  [
    "alias that is the domain",
    { aliases: '["matomo.example.com"]' },
    /aliases: found "matomo.example.com" twice/,
  ],
  [
    "alias stated twice",
    { aliases: '["a.example.com","a.example.com"]' },
    /aliases: found "a.example.com" twice/,
  ],
  ["cluster of both kinds", { cluster: '{"doks":"a","context":"b"}' }, /cluster: found .*either/],
  ["cluster of no kind", { cluster: "{}" }, /cluster: found {}; allowed: either/],
  [
    "cluster name in capitals",
    { cluster: '{"doks":"Liberty"}' },
    /cluster\.doks: found "Liberty".*Kubernetes name|cluster: found.*either/,
  ],
  [
    "floating Matomo version",
    at("matomo", { version: "5" }),
    /matomo\.version: found "5".*x\.y\.z/,
  ],
  [
    "a key of Matomo's configuration that is the program's",
    at("config", { General: { force_ssl: 0 } }),
    /^matomo:config\.General\.force_ssl: stated; allowed: none, because the program/,
  ],
  [
    "a section of Matomo's configuration that is the program's",
    at("config", { database: { charset: "utf8" } }),
    /^matomo:config\.database\.charset: stated; allowed: none/,
  ],
  [
    "a secret in Matomo's configuration",
    at("config", { mail: { password: "x" } }),
    /^matomo:config\.mail\.password: stated; allowed: no secret/,
  ],
  [
    "a value of Matomo's configuration over two lines",
    at("config", { General: { a: "x\n[database]" } }),
    /^matomo:config\.General\.a: found "x\\n.*; allowed: a text of one line/,
  ],
  [
    "a key of Matomo's configuration that is no name",
    at("config", { General: { "a = b": 1 } }),
    /^matomo:config\.General\.a = b: found 1; allowed:/,
  ],
  [
    "Matomo that has not been tried",
    at("matomo", { version: "6.0.0" }),
    /matomo\.version: found "6\.0\.0"; allowed: a version before 6\.0\.0, which renames/,
  ],
  [
    "an image of Matomo that has not been tried",
    at("matomo", { image: "registry.example.com/matomo:6.0.0-b1-apache" }),
    /matomo\.image: found "registry.*6\.0\.0-b1-apache"; allowed: a version before 6\.0\.0/,
  ],
  ["Matomo version latest", at("matomo", { version: "latest" }), /matomo\.version: found "latest"/],
  [
    "Matomo version as a number",
    at("matomo", { version: 5.5 }),
    /matomo\.version: found 5\.5; allowed: a full version/,
  ],
  [
    "floating MariaDB version",
    at("mariadb", { version: "12.0" }),
    /mariadb\.version: found "12\.0".*x\.y\.z/,
  ],
  [
    "image without a tag",
    at("matomo", { image: "matomo" }),
    /matomo\.image: found "matomo".*tag or digest/,
  ],
  [
    "an image that does not tell its version, without one",
    at("mariadb", { image: `registry.example.com/mariadb@sha256:${"0".repeat(64)}` }),
    /mariadb\.version: missing; allowed: the version x\.y\.z of the image, which ".*0" does not tell/,
  ],
  [
    "an image whose tag moves",
    at("mariadb", { image: "mariadb:lts-noble", version: "11.8.3" }),
    /mariadb\.image: found "mariadb:lts-noble"; allowed: a tag that stays what it is/,
  ],
  [
    "a cluster named by a key that there is none",
    { cluster: '{"doks":"a","kubeconfig":"b"}' },
    /cluster\.kubeconfig: no such setting; allowed: .*doks/,
  ],
  [
    "image latest",
    at("matomo", { image: "matomo:latest" }),
    /matomo\.image: found "matomo:latest".*not latest/,
  ],
  [
    "registry port taken for a tag",
    at("mariadb", { image: "registry.example.com:5000/mariadb" }),
    /mariadb\.image: found.*tag or digest/,
  ],
  [
    "memory without a unit",
    at("matomo", { memory: "1024" }),
    /matomo\.memory: found "1024".*Mi, Gi or Ti/,
  ],
  [
    "memory as a number",
    at("matomo", { memory: 1024 }),
    /matomo\.memory: found 1024; allowed: a size/,
  ],
  ["memory in decimal units", at("matomo", { memory: "1G" }), /matomo\.memory: found "1G"/],
  [
    "memory far too small",
    at("matomo", { memory: "64Mi" }),
    /matomo\.memory: found "64Mi".*at least 256Mi/,
  ],
  [
    "memory that its workers contradict",
    at("matomo", { memory: "512Mi", workers: 10 }),
    /matomo\.memory: found "512Mi"; 10 workers need 128 MiB each, an archiver 256, .*at least 1776Mi/,
  ],
  [
    "database memory that connections contradict",
    { ...at("mariadb", { memory: "512Mi" }), ...at("matomo", { memory: "16Gi", workers: 64 }) },
    /mariadb\.memory: found "512Mi"; 142 connections/,
  ],
  ["one worker", at("matomo", { workers: 1 }), /matomo\.workers: found 1; allowed: 2 at least/],
  [
    "too many workers",
    at("matomo", { workers: 1000 }),
    /matomo\.workers: found 1000; allowed: 256 at most/,
  ],
  ["half a worker", at("matomo", { workers: 2.5 }), /matomo\.workers: found 2\.5; allowed: int/],
  [
    "storage mode",
    at("storage", { mode: "static" }),
    /storage\.mode: found "static"; allowed: one of dynamic, volumes/,
  ],
  [
    "volumes without DigitalOcean",
    { ...at("storage", { mode: "volumes" }), cluster: '{"context":"mine"}' },
    /storage\.mode: found "volumes"; allowed: "dynamic"/,
  ],
  ["storage in Mi", at("storage", { data: "10240Mi" }), /storage\.data: found "10240Mi".*whole Gi/],
  [
    "storage of nothing",
    at("storage", { database: "0Gi" }),
    /storage\.database: found "0Gi".*whole Gi/,
  ],
  [
    "storage in fractions",
    at("storage", { backup: "2.5Gi" }),
    /storage\.backup: found "2\.5Gi".*whole Gi/,
  ],
  [
    "schedule of four fields",
    at("archive", { schedule: "5 * * *" }),
    /archive\.schedule: found "5 \* \* \*".*4 fields instead of 5/,
  ],
  [
    "schedule with seconds",
    at("archive", { schedule: "0 5 * * * *" }),
    /archive\.schedule: .*6 fields instead of 5/,
  ],
  [
    "schedule out of range",
    at("backup", { schedule: "0 24 * * *" }),
    /backup\.schedule: .*hour: "24" is not within 0 to 23/,
  ],
  [
    "schedule with L",
    at("backup", { schedule: "0 3 L * *" }),
    /backup\.schedule: .*day of month: "L"/,
  ],
  [
    "schedule on a seventh weekday",
    at("backup", { schedule: "0 3 * * 7" }),
    /backup\.schedule: .*day of week: "7"/,
  ],
  [
    "schedule with a time zone",
    at("backup", { schedule: "TZ=UTC 0 3 * * *" }),
    /backup\.schedule: .*time zone/,
  ],
  [
    "a backup's memory below what its throw-away server takes",
    at("backup", { memory: "255Mi" }),
    /backup\.memory: found "255Mi".*at least 256Mi/,
  ],
  [
    "a backup's processor too small",
    at("backup", { cpu: "49m" }),
    /backup\.cpu: found "49m".*at least 50m/,
  ],
  ["a backup's time of seconds", at("backup", { timeout: 599 }), /backup\.timeout: found 599.*600/],
  ["a backup's time of days", at("backup", { timeout: 86401 }), /backup\.timeout: found 86401/],
  ["schedule in words", at("archive", { schedule: "hourly" }), /archive\.schedule: .*1 fields/],
  [
    "no retention",
    at("backup", { retentionDays: 0 }),
    /backup\.retentionDays: found 0; allowed: 1 at least/,
  ],
  [
    "retention as text",
    at("backup", { retentionDays: "30" }),
    /backup\.retentionDays: found "30"; allowed: (number|int)/,
  ],
  ...["http://fra1.example.com", "fra1.example.com", "https://a@fra1.example.com"].map(
    (endpoint): Row => [
      `an off-site server at ${endpoint}`,
      at("backup", { offsite: { ...OFFSITE, endpoint } }),
      /backup\.offsite\.endpoint: found.*an address such as https/,
    ],
  ),
  [
    "an off-site server with a bucket in its address",
    at("backup", { offsite: { ...OFFSITE, endpoint: "https://fra1.example.com/bucket" } }),
    /backup\.offsite\.endpoint: found.*without a path/,
  ],
  [
    "an off-site bucket that is no name",
    at("backup", { offsite: { ...OFFSITE, bucket: "My Bucket" } }),
    /backup\.offsite\.bucket: found "My Bucket".*a bucket's name/,
  ],
  [
    "an off-site folder that leads out of it",
    at("backup", { offsite: { ...OFFSITE, prefix: "../other" } }),
    /backup\.offsite\.prefix: found "\.\.\/other".*a folder/,
  ],
  [
    "an off-site place without its key",
    at("backup", { offsite: { ...OFFSITE, secretAccessKey: undefined } }),
    /^matomo:backup\.offsite\.secretAccessKey: missing; allowed: 8 to 128/,
  ],
  [
    "an off-site place without its address",
    at("backup", { offsite: { ...OFFSITE, endpoint: undefined } }),
    /^matomo:backup\.offsite\.endpoint: missing; allowed: an address such as https/,
  ],
  [
    "an off-site bucket of the program's own with a key of somebody's",
    at("backup", {
      offsite: { create: true, region: "fra1", bucket: "b-1", accessKeyId: OFFSITE.accessKeyId },
    }),
    /^matomo:backup\.offsite\.accessKeyId: found a value that is not shown; allowed: none, because/,
  ],
  [
    "an off-site bucket of the program's own where DigitalOcean has none",
    at("backup", { offsite: { create: true, bucket: "b-1" } }),
    /^matomo:backup\.offsite\.region: missing; allowed: a region of DigitalOcean Spaces such as fra1/,
  ],
  [
    "an off-site key over two lines",
    at("backup", { offsite: { ...OFFSITE, accessKeyId: "key\n[other]" } }),
    /^matomo:backup\.offsite\.accessKeyId: found a value that is not shown; allowed: 8 to 128/,
  ],
  [
    "an off-site password that is easily guessed",
    at("backup", { offsite: { ...OFFSITE, repositoryPassword: "short" } }),
    /repositoryPassword: found a value that is not shown; allowed: 16 to 128/,
  ],
  [
    "unknown issuer",
    at("edge", { issuer: "prod" }),
    /edge\.issuer: found "prod"; allowed: one of staging, production/,
  ],
  [
    "unknown kind of edge",
    at("edge", { kind: "loadbalancer" }),
    /edge\.kind: found.*ingress, gateway/,
  ],
  [
    "proxy that is no range",
    at("edge", { proxies: ["203.0.113.7"] }),
    /edge\.proxies\.0: found "203\.0\.113\.7".*CIDR/,
  ],
  [
    "proxy range out of bounds",
    at("edge", { proxies: ["203.0.113.0/33"] }),
    /edge\.proxies\.0: found.*CIDR/,
  ],
  ...["10.244.0.0/16", "172.20.0.7/32", "192.0.0.0/8", "0.0.0.0/0"].map((range): Row => [
    `proxies among the pods: ${range}`,
    at("edge", { proxies: [range] }),
    /edge\.proxies\.0: found.*public address range/,
  ]),
  [
    "no requests",
    at("edge", { requestsPerSecond: 0 }),
    /edge\.requestsPerSecond: found 0; allowed: 1 at least/,
  ],
  [
    "a limit that no controller of the class is told",
    at("edge", { class: "traefik", requestsPerSecond: 5 }),
    /edge\.requestsPerSecond: found 5; allowed: none, because the controller of class "traefik"/,
  ],
  [
    "a limit on a Gateway",
    at("edge", { kind: "gateway", class: "nginx", requestsPerSecond: 5 }),
    /edge\.requestsPerSecond: found 5; allowed: none/,
  ],
  [
    "class with a slash",
    at("edge", { class: "k8s.io/nginx" }),
    /edge\.class: found.*Kubernetes name/,
  ],
  [
    "more of an address than it has",
    at("privacy", { anonymizeIp: 5 }),
    /privacy\.anonymizeIp: found 5; allowed: 4 at most/,
  ],
  [
    "raw data for no day",
    at("privacy", { retentionDays: 0 }),
    /privacy\.retentionDays: found 0; allowed: 1 at least/,
  ],
  [
    "Do Not Track as text",
    at("privacy", { doNotTrack: "on" }),
    /privacy\.doNotTrack: found "on"; allowed: boolean/,
  ],
  [
    "plugin without a checksum",
    at("plugins", { install: [{ ...PLUGIN, sha256: undefined }] }),
    /plugins\.install\.0\.sha256: missing; allowed: the zip's SHA-256/,
  ],
  [
    "plugin with a password in its address",
    at("plugins", { install: [{ ...PLUGIN, url: "https://me:secret@example.com/a.zip" }] }),
    /plugins\.install\.0\.url: found.*without a password/,
  ],
  [
    "plugin from no web server",
    at("plugins", { install: [{ ...PLUGIN, url: "file:///etc/passwd" }] }),
    /plugins\.install\.0\.url: found.*the address of a zip/,
  ],
  [
    "plugin that is a path",
    at("plugins", { install: [{ ...PLUGIN, name: "../core" }] }),
    /plugins\.install\.0\.name: found "\.\.\/core".*a plugin's name/,
  ],
  [
    "plugin twice",
    at("plugins", { install: [PLUGIN, PLUGIN] }),
    /^matomo:plugins\.install: found "CustomReports" twice/,
  ],
  [
    "plugin that is wanted and not",
    at("plugins", { install: [PLUGIN], disabled: ["CustomReports"] }),
    /^matomo:plugins\.disabled: found "CustomReports", which matomo:plugins\.install activates/,
  ],
  [
    "disabled plugin that is none",
    at("plugins", { disabled: ["no name"] }),
    /plugins\.disabled\.0: found "no name".*a plugin's name/,
  ],
  ["egress as text", at("egress", { smtp: "yes" }), /egress\.smtp: found "yes"; allowed: boolean/],
  [
    "time zone that does not exist",
    at("website", { timezone: "Europe/Bonn" }),
    /website\.timezone: found "Europe\/Bonn".*IANA/,
  ],
  [
    "website without a scheme",
    at("website", { url: "www.example.com" }),
    /website\.url: found "www\.example\.com".*a URL/,
  ],
  [
    "website without a name",
    at("website", { name: "" }),
    /website\.name: found ""; allowed: 1 to 90/,
  ],
  [
    "broken JSON",
    { storage: "{mode: dynamic}" },
    /storage: found "{mode: dynamic}"; allowed: object/,
  ],
];

const EMPTY: Live = { cluster: "uid", foreign: [], claims: {}, volumes: {}, deployed: {} };

const LIVE: Live = {
  cluster: "uid",
  foreign: [],
  claims: { matomo: "10Gi", "data-matomo-mariadb-0": "8Gi", "matomo-backup": "20Gi" },
  volumes: { matomo: "pvc-1", "data-matomo-mariadb-0": "pvc-2", "matomo-backup": "pvc-3" },
  deployed: { matomo: "5.5.1", mariadb: "12.0.2" },
};

/** What contradicts the live cluster. */
const LIVE_ROWS: Row[] = [
  [
    "smaller data",
    at("storage", { data: "9Gi" }),
    /storage\.data: found "9Gi"; allowed: 10Gi or more, the size of the live claim matomo/,
  ],
  [
    "smaller database",
    at("storage", { database: "1Gi" }),
    /storage\.database: found "1Gi"; allowed: 8Gi or more.*data-matomo-mariadb-0/,
  ],
  [
    "smaller backup",
    at("storage", { backup: "19Gi" }),
    /storage\.backup: found "19Gi"; allowed: 20Gi or more/,
  ],
  [
    "an image that does not tell its version, of an older one",
    at("mariadb", { image: `mariadb@sha256:${"0".repeat(64)}`, version: "11.8.3" }),
    /mariadb\.version: found "11\.8\.3"; allowed: 12\.0\.2 or newer/,
  ],
  [
    "older Matomo",
    at("matomo", { version: "5.4.9" }),
    /matomo\.version: found "5\.4\.9"; allowed: 5\.5\.1 or newer/,
  ],
  [
    "an older Matomo in an image of one's own",
    at("matomo", { image: "mirror.example.com/matomo:5.4.0-apache" }),
    /matomo\.image: found "mirror\.example\.com\/matomo:5\.4\.0-apache"; allowed: 5\.5\.1 or newer/,
  ],
  [
    "volumes of Pulumi's own under claims that have theirs",
    at("storage", { mode: "volumes" }),
    /storage\.mode: found "volumes"; allowed: "dynamic", as the live claims were made/,
  ],
  [
    "older MariaDB",
    at("mariadb", { version: "11.8.3" }),
    /mariadb\.version: found "11\.8\.3"; allowed: 12\.0\.2 or newer/,
  ],
];

describe("settings that are refused", () => {
  for (const [what, changes, message] of ROWS) {
    it(what, () => {
      const found = faults(changes);
      assert.equal(found.length, 1, `one fault, but found: ${found.join(" | ") || "none"}`);
      assert.match(found[0], message);
    });
  }

  it("all faults at once", () => {
    const found = faults({ domain: "x", email: "y", ...at("matomo", { memory: "1", workers: 0 }) });
    assert.equal(found.length, 4);
  });

  it("contradictions beside the faults of other keys", () => {
    const aliases = JSON.stringify(["a.example.com", "a.example.com"]);
    const found = faults({
      email: "y",
      aliases,
      ...at("matomo", { memory: "300Mi", workers: 40 }),
    });
    assert.match(found.join("\n"), /matomo:email.*matomo\.memory: .*matomo:aliases: .*twice/s);
    assert.equal(found.filter((line) => line.includes("matomo:email")).length, 1);
  });

  it("with no secret in a message, whatever else is wrong with what holds it", () => {
    const { secretAccessKey } = OFFSITE;
    const broken: Changes[] = [
      at("backup", { offsite: [OFFSITE] }),
      at("backup", [OFFSITE]),
      { backup: `{"offsite": {"secretAccessKey": "${secretAccessKey}"` },
      at("backup", { offsite: { ...OFFSITE, secretAccessKey: [secretAccessKey] } }),
      at("backup", { offsite: { ...OFFSITE, secretAccessKey: { a: secretAccessKey } } }),
    ];
    for (const changes of broken) {
      const found = faults(changes);
      assert.ok(found.length > 0, JSON.stringify(changes));
      assert.ok(!found.join().includes(secretAccessKey), found.join());
    }
  });

  it("with an off-site key in clear, which the stack's file would show to everybody", () => {
    const config = configuration(at("backup", { offsite: OFFSITE }));
    const clear = (key: string) =>
      new RegExp(
        `^matomo:backup\\.offsite\\.${key}: found clear text; allowed: .* --secret --path `,
      );
    assert.throws(
      () => parseSettings(config, (key) => key !== "backup"),
      ({ problems, message }: SettingsError) => {
        const [first, second, ...more] = problems;
        assert.match(first, clear("accessKeyId"));
        assert.match(second, clear("secretAccessKey"));
        assert.deepEqual(more, []);
        assert.ok(!message.includes(OFFSITE.secretAccessKey));
        return true;
      },
    );
    assert.ok(parseSettings(config, (key) => key === "backup").backup.offsite);
  });

  it("with a message that names nothing but the faults", () => {
    assert.throws(
      () => parseSettings({ ...MINIMAL, domain: "x" }),
      /^SettingsError: the stack's settings have 1 fault, nothing was touched:\n {2}- matomo:domain/,
    );
  });
});

describe("settings that contradict the live cluster", () => {
  for (const [what, changes, message] of LIVE_ROWS) {
    it(what, () => {
      const found = conflictsWithLive(parseSettings(configuration(changes)), LIVE);
      assert.equal(found.length, 1);
      assert.match(found[0], message);
    });
  }

  it("a claim whose size somebody else stated in another unit", () => {
    const settings = parseSettings(configuration(at("storage", { data: "20Gi" })));
    for (const size of ["30G", "32212254720", "1Ti", "30e9", "40000000Ki"]) {
      const found = conflictsWithLive(settings, { ...LIVE, claims: { matomo: size } });
      assert.match(
        found.join(),
        new RegExp(`storage\\.data: found "20Gi"; allowed: ${size} or more`),
      );
    }
    for (const size of ["20G", "21474836480", "20Gi", "1e3"]) {
      assert.deepEqual(conflictsWithLive(settings, { ...LIVE, claims: { matomo: size } }), []);
    }
  });

  it("nothing when they agree, and nothing on an empty cluster", () => {
    const settings = parseSettings(MINIMAL);
    assert.deepEqual(conflictsWithLive(settings, LIVE), []);
    assert.deepEqual(conflictsWithLive(settings, EMPTY), []);
  });

  it("nothing when an image of one's own is newer than the version that is stated", () => {
    const image = "mirror.example.com/matomo:5.6.0-apache";
    const settings = parseSettings(configuration(at("matomo", { image })));
    const deployed = { ...LIVE.deployed, matomo: "5.6.0" };
    assert.deepEqual(conflictsWithLive(settings, { ...LIVE, deployed }), []);
  });
});

describe("settings that are accepted", () => {
  it("a section of Matomo's configuration by whatever name", () => {
    const config = { constructor: { key: 1 }, valueOf: { key: "a" } };
    assert.deepEqual(parseSettings(configuration(at("config", config))).config, config);
  });

  it("the least, with the defaults of the contract", () => {
    const settings = parseSettings(MINIMAL);
    assert.equal(settings.matomo.version, "5.5.1");
    assert.equal(settings.mariadb.version, "12.0.2");
    assert.deepEqual(settings.storage, {
      mode: "dynamic",
      data: "10Gi",
      database: "8Gi",
      backup: "20Gi",
    });
    assert.equal(settings.archive.schedule, "5 * * * *");
    assert.deepEqual(settings.backup, {
      schedule: "0 3 * * *",
      retentionDays: 30,
      memory: "256Mi",
      cpu: "200m",
    });
    assert.equal(settings.edge.issuer, "staging");
    assert.equal(requestLimit(settings), 50);
  });

  const good: [string, Record<string, string>][] = [
    ["a second host", { aliases: '["stats.example.org"]' }],
    ["a context", { cluster: '{"context":"mine"}' }],
    [
      "a digest with its version",
      at("matomo", { image: `matomo@sha256:${"0".repeat(64)}`, version: "5.5.1" }),
    ],
    [
      "a registry with a port",
      at("mariadb", { image: "registry.example.com:5000/mariadb:12.0.2" }),
    ],
    ["names in a schedule", at("backup", { schedule: "30 2 * jan-jun/2 mon,WED" })],
    [
      "public proxies",
      at("edge", { proxies: ["172.64.0.0/13", "192.167.255.0/24", "11.0.0.0/8"] }),
    ],
    ["an IPv6 proxy", at("edge", { proxies: ["2001:db8::/32"] })],
    [
      "a limit of a second ingress-nginx",
      at("edge", { class: "nginx-public", requestsPerSecond: 5 }),
    ],
    ["more memory and workers", at("matomo", { memory: "4Gi", workers: 16 })],
  ];
  for (const [what, changes] of good) {
    it(what, () => assert.deepEqual(faults(changes), []));
  }
});

describe("the off-site repository", () => {
  const repositoryOf = (offsite: object) =>
    offsiteRepository(parseSettings(configuration(at("backup", { offsite }))));

  it("is in a folder of the site's own", () => {
    assert.deepEqual(repositoryOf(OFFSITE), {
      url: "s3:https://fra1.digitaloceanspaces.com/liberty-backups/matomo.example.com",
      region: "fra1",
      host: "fra1.digitaloceanspaces.com",
      port: 443,
    });
  });

  it("is where it is stated to be", () => {
    const stated = { endpoint: "https://10.20.0.5:9000/", prefix: "matomo/liberty" };
    const { url, host, port } = repositoryOf({ ...OFFSITE, ...stated })!;
    assert.equal(url, "s3:https://10.20.0.5:9000/liberty-backups/matomo/liberty");
    assert.deepEqual([host, port], ["10.20.0.5", 9000]);
  });

  it("is none by default", () => {
    assert.equal(offsiteRepository(parseSettings(MINIMAL)), undefined);
  });
});

describe("settings that somebody will be sorry for", () => {
  const warningsOf = (storage: Record<string, string>) =>
    settingsWarnings(parseSettings(configuration(at("storage", storage))));

  it("a database that its backup volume has no room to back up, with numbers", () => {
    const [warning, ...more] = warningsOf({ database: "100Gi", backup: "20Gi" });
    assert.deepEqual(more, []);
    assert.match(warning, /^matomo:storage\.backup: found "20Gi".* 100Gi: /);
    assert.match(warning, /takes 160\.3Gi, and the 30 days/);
    assert.match(warning, /fail from 12\.3Gi of database on/);
  });

  it("none by default, nor with just enough room", () => {
    assert.deepEqual(warningsOf({}), []);
    assert.deepEqual(warningsOf({ database: "10Gi", backup: "17Gi" }), []);
    assert.equal(warningsOf({ database: "10Gi", backup: "16Gi" }).length, 1);
  });

  it("by the reckoning of the backup's own script", () => {
    const script = fs.readFileSync(
      path.join(checkout, "components", "scripts", "backup.sh"),
      "utf8",
    );
    assert.match(script, /need=\$\(\(data_bytes \* 16 \/ 10 \+ 300 \* 1024 \* 1024\)\)/);
    assert.equal(roomForBackup(1000), 1900);
    assert.equal(largestDatabase(1900), 1000);
    assert.equal(largestDatabase(100), 0);
  });
});
