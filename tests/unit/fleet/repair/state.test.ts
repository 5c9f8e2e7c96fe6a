/** What a repair has the state forget: the lost claims' own resources, and nothing else. */
import assert from "node:assert/strict";
import { volumeUrns } from "../../../../fleet/repair/state";

const SITE = "urn:pulumi:liberty::matomo::matomo:index:MatomoSite";
const CLAIM = "kubernetes:core/v1:PersistentVolumeClaim";
const urn = (type: string, name: string) => `${SITE}$matomo:index:Storage$${type}::${name}`;

const resources = [
  urn(CLAIM, "data"),
  urn(CLAIM, "database"),
  urn(CLAIM, "backup"),
  urn("kubernetes:core/v1:PersistentVolume", "backup"),
  urn("digitalocean:index/volume:Volume", "backup"),
  `${SITE}$matomo:index:Backup$kubernetes:batch/v1:CronJob::backup`,
  `${SITE}$matomo:index:Storage::storage`,
].map((one) => ({ urn: one }));

describe("what a repair has the state forget", () => {
  const of = (...claims: string[]) =>
    volumeUrns({ version: 3, deployment: { resources } }, claims).map((one) =>
      one.split("$").at(-1),
    );

  it("is a claim with its PersistentVolume and Volume", () => {
    assert.deepEqual(of("matomo-backup"), [
      `${CLAIM}::backup`,
      "kubernetes:core/v1:PersistentVolume::backup",
      "digitalocean:index/volume:Volume::backup",
    ]);
  });

  it("is each claim that was lost, and no other", () => {
    assert.deepEqual(of("matomo"), [`${CLAIM}::data`]);
    assert.deepEqual(of("matomo", "data-matomo-mariadb-0"), [
      `${CLAIM}::data`,
      `${CLAIM}::database`,
    ]);
  });
});
