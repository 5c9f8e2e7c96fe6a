/** Settings whose rendered objects are kept as snapshots and judged by the policy pack. */
import { MINIMAL } from "./render";

const json = JSON.stringify;

/** Where backups are brought off-site, as the engine hands it over. */
export const OFFSITE = {
  endpoint: "https://fra1.digitaloceanspaces.com",
  region: "fra1",
  bucket: "liberty-backups",
  accessKeyId: "DO00EXAMPLEKEY123456",
  secretAccessKey: "example/secret+of=nobody0123456789",
};

/** A stack's raw configuration, by the scenario's name. */
export const SCENARIOS: Record<string, Record<string, string>> = {
  minimal: MINIMAL,
  volumes: { ...MINIMAL, storage: json({ mode: "volumes" }) },
  gateway: {
    ...MINIMAL,
    edge: json({ kind: "gateway" }),
  },
  envoy: {
    ...MINIMAL,
    edge: json({ kind: "gateway", class: "envoy", controllerNamespace: "envoy-gateway-system" }),
  },
  offsite: { ...MINIMAL, backup: json({ offsite: OFFSITE }) },
  space: {
    ...MINIMAL,
    backup: json({ offsite: { create: true, region: "fra1", bucket: "liberty-backups" } }),
  },
  everything: {
    ...MINIMAL,
    aliases: json(["stats.example.org"]),
    username: "owner",
    website: json({ name: "Shop", url: "https://shop.example.com", timezone: "Europe/Berlin" }),
    matomo: json({ version: "5.6.0", memory: "4Gi", workers: 12 }),
    mariadb: json({ version: "12.3.1", memory: "4Gi" }),
    storage: json({ data: "20Gi", database: "50Gi", backup: "100Gi" }),
    archive: json({ schedule: "*/30 * * * *", timeout: 7200, memory: "128Mi", cpu: "100m" }),
    backup: json({
      schedule: "30 2 * * *",
      retentionDays: 90,
      timeout: 28800,
      memory: "512Mi",
      cpu: "1",
    }),
    edge: json({
      class: "traefik",
      controllerNamespace: "traefik",
      issuer: "production",
      proxies: ["198.51.100.0/24"],
    }),
    privacy: json({ anonymizeIp: 3, retentionDays: 180, doNotTrack: true, cookieless: true }),
    plugins: json({
      install: [
        {
          name: "CustomReports",
          version: "5.2.1",
          url: "https://plugins.example.com:8443/CustomReports-5.2.1.zip",
          sha256: "0123456789abcdef".repeat(4),
        },
      ],
      disabled: ["SlowReports"],
    }),
    egress: json({ geoip: false, smtp: true }),
  },
};
