/** What a repair takes out of the state: what is gone, and nothing else. */
import assert from "node:assert/strict";
import { withoutGone } from "../../../../fleet/repair/state";

const SITE = "urn:pulumi:liberty::matomo::matomo:index:MatomoSite";
const CLAIM = "kubernetes:core/v1:PersistentVolumeClaim";
const urn = (type: string, name: string) => `${SITE}$matomo:index:Storage$${type}::${name}`;
const object = (type: string, name: string, uid: string) => ({
  urn: urn(type, name),
  outputs: { metadata: { uid } },
});
const job = `${SITE}$matomo:index:Backup$kubernetes:batch/v1:CronJob::job`;

const resources = [
  object(CLAIM, "data", "data-uid"),
  object(CLAIM, "backup", "backup-uid"),
  object("kubernetes:core/v1:PersistentVolume", "backup", "volume-uid"),
  { urn: urn("digitalocean:index/volume:Volume", "backup"), id: "a1b2" },
  {
    urn: job,
    outputs: { metadata: { uid: "job-uid" } },
    dependencies: [urn(CLAIM, "data"), urn(CLAIM, "backup")],
    propertyDependencies: { spec: [urn(CLAIM, "backup")], metadata: null },
  },
];
const state = { version: 3, deployment: { resources } };
const names = (live: string[], lost: string[]) =>
  withoutGone(state, { live, lost }).deployment.resources!.map(({ urn }) =>
    (urn as string).split(/[$]/).at(-1),
  );

describe("what a repair takes out of the state", () => {
  it("is nothing while all is there", () => {
    const all = { live: ["data-uid", "backup-uid", "volume-uid"], lost: [] };
    assert.equal(withoutGone(state, all), state);
  });

  it("is a claim that is gone, or that another came in the place of", () => {
    assert.deepEqual(names(["data-uid", "another", "volume-uid"], []), [
      `${CLAIM}::data`,
      "kubernetes:core/v1:PersistentVolume::backup",
      "digitalocean:index/volume:Volume::backup",
      "kubernetes:batch/v1:CronJob::job",
    ]);
  });

  it("is a volume that is lost, with its PersistentVolume", () => {
    assert.deepEqual(names(["data-uid", "backup-uid"], ["a1b2"]), [
      `${CLAIM}::data`,
      `${CLAIM}::backup`,
      "kubernetes:batch/v1:CronJob::job",
    ]);
  });

  it("is named by nothing that stays", () => {
    const left = withoutGone(state, { live: ["data-uid"], lost: ["a1b2"] });
    const [{ dependencies, propertyDependencies }] = left.deployment.resources!.slice(-1);
    assert.deepEqual(dependencies, [urn(CLAIM, "data")]);
    assert.deepEqual(propertyDependencies, { spec: [], metadata: null });
  });
});
