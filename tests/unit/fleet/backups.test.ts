import assert from "node:assert/strict";
import type { V1CronJob, V1Job } from "@kubernetes/client-node";
import { before, describe, it } from "mocha";
import {
  type Backup,
  listJob,
  nightsLeft,
  olderThan,
  parseList,
  removeJob,
} from "../../../fleet/backups";
import { downloadJob } from "../../../fleet/download";
import { age, bytes } from "../../../fleet/format";
import { render } from "../../render";
import { SCENARIOS } from "../../scenarios";

const MANIFEST = {
  proven: true,
  site: "matomo.example.com",
  mariadb: "12.0.2-MariaDB",
  matomo: "5.5.1",
  files: { "database.sql.zst": { bytes: 1000, sha256: "a" }, "state.tar.zst": { bytes: 24 } },
  milliseconds: { dump: 10, restore: 20, proof: 30 },
  databaseBytes: 5000,
  tables: [
    { name: "a", rows: 3, checksum: 1 },
    { name: "matomo_log_link_visit_action", rows: 4, checksum: 2 },
  ],
};

describe("the list of backups", () => {
  it("is read from what the pod printed", () => {
    const line = JSON.stringify({ name: "2026-01-31T030000Z", manifest: MANIFEST });
    const changed = "2020-01-01T10:00:00Z";
    const other = JSON.stringify({ other: 'matomo "2020".sql.gz', bytes: 12, changed });
    const volume = parseList([line, other, '{"volume": {"bytes": 200, "free":  100}}']);
    assert.deepEqual(volume, {
      bytes: 200,
      free: 100,
      others: [{ name: 'matomo "2020".sql.gz', bytes: 12, changed }],
      backups: [
        {
          name: "2026-01-31T030000Z",
          time: "2026-01-31T03:00:00Z",
          site: "matomo.example.com",
          matomo: "5.5.1",
          mariadb: "12.0.2-MariaDB",
          bytes: 1024,
          databaseBytes: 5000,
          tables: 2,
          rows: 7,
          actions: 4,
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

  it("has those that are off-site, by the words of the repository", () => {
    const lines = [
      JSON.stringify({ name: "2026-01-31T030000Z", manifest: MANIFEST }),
      '{"volume": {"bytes": 200, "free": 100}}',
      '{"offsite": "2026-01-30T030000Z", "tags": ["proven","site=m.example.com","matomo=5.5.1",' +
        '"mariadb=12.0.2-MariaDB","bytes=1024","tables=2","rows=7"]}',
      '{"repository": {"name": "s3:https://s3.example.com/b/p"}}',
    ];
    assert.deepEqual(parseList(lines).offsite, {
      repository: "s3:https://s3.example.com/b/p",
      backups: [
        {
          ...{ name: "2026-01-30T030000Z", time: "2026-01-30T03:00:00Z", site: "m.example.com" },
          ...{ matomo: "5.5.1", mariadb: "12.0.2-MariaDB", bytes: 1024, tables: 2, rows: 7 },
        },
      ],
    });
  });

  it("says why off-site cannot be read, and has the volume's all the same", () => {
    const { backups, offsite } = parseList([
      JSON.stringify({ name: "2026-01-31T030000Z", manifest: MANIFEST }),
      '{"volume": {"bytes": 200, "free": 100}}',
      '{"repository": {"name": "s3:x", "error": "Access Denied."}}',
    ]);
    assert.equal(backups.length, 1);
    assert.deepEqual(offsite, { repository: "s3:x", backups: [], error: "Access Denied." });
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

    it("reads the off-site repository as well, with its Secret and without the volume", async () => {
      const found = (await render(SCENARIOS.offsite)).find(
        ({ type, props }) =>
          type === "kubernetes:batch/v1:CronJob" && props.metadata.name === "matomo-backup",
      );
      const { podFailurePolicy, template } = listJob(found!.props as V1CronJob, "l").spec!;
      assert.equal(podFailurePolicy, undefined, "which names a container of the night");
      const { containers, volumes, initContainers } = template.spec!;
      assert.deepEqual(initContainers, []);
      const [list, offsite] = containers;
      assert.equal(list.name, "list");
      assert.deepEqual(offsite.command, ["sh", "/opt/matomo/scripts/list-offsite.sh"]);
      assert.ok(offsite.env!.some(({ name }) => name === "RESTIC_REPOSITORY"));
      const mounted = offsite.volumeMounts!.map(({ name }) => name).sort();
      assert.deepEqual(mounted, ["offsite-credentials", "scripts", "tmp"]);
      assert.ok(!list.volumeMounts!.some(({ name }) => name === "offsite-credentials"));
      assert.equal(volumes!.filter(({ secret }) => secret).length, 1);
    });

    it("is nobody's child: the CronJob would take it for a backup", () => {
      assert.equal(listJob(cronJob, "l").metadata!.ownerReferences, undefined);
    });

    it("removes by names that are words of their own, and writes to the backup volume alone", () => {
      const job = removeJob(cronJob, "r", ["2026-01-31T030000Z", "a b; rm -rf /"]);
      const [{ command, volumeMounts }] = job.spec!.template.spec!.containers;
      const script = "/opt/matomo/scripts/remove-backups.sh";
      assert.deepEqual(command, ["bash", script, "2026-01-31T030000Z", "a b; rm -rf /"]);
      const written = volumeMounts!.filter(({ readOnly }) => !readOnly).map(({ name }) => name);
      assert.deepEqual(written.sort(), ["backup", "tmp"]);
    });

    it("has files to bring to a person's machine, of the volume or of off-site, and waits", async () => {
      const needs = (job: V1Job) => {
        const [{ command, volumeMounts }] = job.spec!.template.spec!.containers;
        const written = volumeMounts!.filter(({ readOnly }) => !readOnly).map(({ name }) => name);
        const mounted = volumeMounts!.map(({ name }) => name).sort();
        assert.deepEqual([command![0], written], ["sleep", ["tmp"]]);
        assert.equal(command![1], String(job.spec!.activeDeadlineSeconds));
        return mounted;
      };
      const here = downloadJob(cronJob, "d", { backup: "newest" });
      assert.deepEqual(needs(here), ["backup", "scripts", "tmp"]);
      const from = { backup: "newest", from: "offsite" } as const;
      assert.throws(() => downloadJob(cronJob, "d", from), /no off-site repository/);
      const found = (await render(SCENARIOS.offsite)).find(
        ({ type, props }) =>
          type === "kubernetes:batch/v1:CronJob" && props.metadata.name === "matomo-backup",
      );
      const there = downloadJob(found!.props as V1CronJob, "d", from);
      assert.deepEqual(needs(there), ["offsite-credentials", "scripts", "tmp"]);
    });

    it("refuses the old chart's CronJob", () => {
      const old = structuredClone(cronJob);
      old.spec!.jobTemplate.spec!.template.spec!.containers[0].command = ["sh", "-c", "dump"];
      assert.throws(() => listJob(old, "l"), /Deploy the stack first/);
    });
  });
});

describe("a backup volume", () => {
  const GIB = 1024 ** 3;
  const DAY = 24 * 3600 * 1000;
  const now = Date.parse("2026-11-30T03:00:00Z");
  /** One a night until now, each as large. */
  const nightly = (count: number, gib: number, databaseGib?: number) =>
    Array.from({ length: count }, (_, i): Backup => {
      const time = new Date(now - (count - 1 - i) * DAY).toISOString();
      const databaseBytes = databaseGib && databaseGib * GIB;
      return { name: time, time, bytes: gib * GIB, databaseBytes } as Backup;
    });

  it("has room for ever when the retention fits beside what a proof takes", () => {
    // 2 GiB of database: 3.2 GiB and 300 MiB while it is proven.
    const free = (gib: number) => ({ backups: nightly(30, 0.5, 2), free: gib * GIB });
    assert.equal(nightsLeft(free(6), 30), null);
    assert.equal(nightsLeft(free(3.4), 30), 0);
  });

  it("has room for so many nights, the old ones gone by their age", () => {
    // 3.5 GiB are needed, 0.5 taken each night: at 3.5 GiB the last.
    assert.equal(nightsLeft({ backups: nightly(1, 0.5, 2), free: 5 * GIB }, 30), 4);
    assert.equal(nightsLeft({ backups: nightly(3, 0.5, 2), free: 5 * GIB }, 30), 4);
    // From the second night on one goes for each that comes.
    assert.equal(nightsLeft({ backups: nightly(3, 0.5, 2), free: 5 * GIB }, 3), null);
  });

  it("says nothing of its nights when the newest backup does not say its database's size", () => {
    assert.equal(nightsLeft({ backups: nightly(3, 0.5), free: GIB }, 30), undefined);
    assert.equal(nightsLeft({ backups: [], free: GIB }, 30), undefined);
  });

  it("loses what is older than the days that are kept, and never the newest", () => {
    const backups = nightly(5, 1);
    const gone = (days: number, at = now) => olderThan(backups, days, at + 1).length;
    assert.deepEqual([gone(30), gone(4), gone(3), gone(2), gone(1)], [0, 1, 2, 3, 4]);
    assert.equal(gone(1, now + 365 * DAY), 4);
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
