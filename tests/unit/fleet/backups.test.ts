import assert from "node:assert/strict";
import type { V1CronJob } from "@kubernetes/client-node";
import { before, describe, it } from "mocha";
import { listJob, parseList } from "../../../fleet/backups";
import { age, bytes } from "../../../fleet/format";
import { render } from "../../render";

const MANIFEST = {
  proven: true,
  site: "matomo.example.com",
  mariadb: "12.0.2-MariaDB",
  matomo: "5.5.1",
  files: { "database.sql.zst": { bytes: 1000, sha256: "a" }, "state.tar.zst": { bytes: 24 } },
  milliseconds: { dump: 10, restore: 20, proof: 30 },
  tables: [
    { name: "a", rows: 3, checksum: 1 },
    { name: "b", rows: 4, checksum: 2 },
  ],
};

describe("the list of backups", () => {
  it("is read from what the pod printed", () => {
    const line = JSON.stringify({ name: "2026-01-31T030000Z", manifest: MANIFEST });
    const volume = parseList([line, '{"volume": {"bytes": 200, "free":  100}}']);
    assert.deepEqual(volume, {
      bytes: 200,
      free: 100,
      backups: [
        {
          name: "2026-01-31T030000Z",
          time: "2026-01-31T03:00:00Z",
          site: "matomo.example.com",
          matomo: "5.5.1",
          mariadb: "12.0.2-MariaDB",
          bytes: 1024,
          tables: 2,
          rows: 7,
          leftOut: [],
          milliseconds: MANIFEST.milliseconds,
        },
      ],
    });
  });

  it("says what a backup left out", () => {
    const manifest = { ...MANIFEST, leftOut: ["view matomo_broken"] };
    const line = JSON.stringify({ name: "2026-01-31T030000Z", manifest });
    const { backups } = parseList([line, '{"volume": {"bytes": 200, "free": 100}}']);
    assert.deepEqual(backups[0].leftOut, ["view matomo_broken"]);
  });

  it("is an error when the log breaks off: a missing backup would look like none", () => {
    const line = JSON.stringify({ name: "2026-01-31T030000Z", manifest: MANIFEST });
    assert.throws(() => parseList([line]), /not whole/);
  });

  describe("its Job", () => {
    let cronJob: V1CronJob;

    before(async () => {
      const found = (await render()).find(
        ({ type, props }) =>
          type === "kubernetes:batch/v1:CronJob" && props.metadata.name === "matomo-backup",
      );
      cronJob = found!.props as V1CronJob;
    });

    it("mounts the backup volume read-only, and no Secret", () => {
      const { containers, volumes, initContainers } = listJob(cronJob, "l").spec!.template.spec!;
      assert.deepEqual(initContainers, []);
      assert.deepEqual(containers[0].command, ["bash", "/opt/matomo/scripts/list-backups.sh"]);
      assert.ok(volumes!.every(({ secret }) => !secret));
      const backup = containers[0].volumeMounts!.find(({ name }) => name === "backup");
      assert.equal(backup?.readOnly, true);
    });

    it("is nobody's child: the CronJob would take it for a backup", () => {
      assert.equal(listJob(cronJob, "l").metadata!.ownerReferences, undefined);
    });

    it("refuses the old chart's CronJob", () => {
      const old = structuredClone(cronJob);
      old.spec!.jobTemplate.spec!.template.spec!.containers[0].command = ["sh", "-c", "dump"];
      assert.throws(() => listJob(old, "l"), /Deploy the stack first/);
    });
  });
});

describe("numbers for a person", () => {
  it("are in one unit", () => {
    assert.deepEqual([0, 89_000, 90_000, 5_400_000, 47 * 3_600_000, 48 * 3_600_000].map(age), [
      "0 s",
      "89 s",
      "1 min",
      "1 h",
      "47 h",
      "2 d",
    ]);
    assert.deepEqual([0, 1023, 1024, 1536, 20 * 1024 ** 3].map(bytes), [
      "0 B",
      "1023 B",
      "1.0 KiB",
      "1.5 KiB",
      "20 GiB",
    ]);
  });
});
