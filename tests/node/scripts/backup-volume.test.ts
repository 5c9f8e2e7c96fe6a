/** What `fleet backups` does on the backup volume: it lists all of it, and removes what a person named. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { parseList } from "../../../fleet/backups";
import { isHeld, HOLD } from "./faults";
import { DATABASE_USER, Site } from "./site";

const OLD = "2020-01-01T030000Z";
const MIDDLE = "2020-01-02T030000Z";
const NEWEST = "2020-01-03T030000Z";
/** What an older chart's job and a person left. */
const DUMP = 'matomo "2019" \\ ü.sql.gz';
const FOLDER = "matomo-backup-20190101";
const MANIFEST = {
  proven: true,
  site: "matomo.example.com",
  matomo: "5.5.1",
  mariadb: "12.0.2-MariaDB",
  files: { "database.sql.zst": { bytes: 10 } },
  milliseconds: { dump: 1, restore: 1, proof: 1 },
  tables: [{ name: "matomo_site", rows: 1, checksum: 1 }],
};

describe("the backup volume", () => {
  const site = new Site();
  const entries = () => fs.readdirSync(site.path("backup")).sort();
  const own = () => {
    const user = `${DATABASE_USER}:${DATABASE_USER}`;
    spawnSync("chown", ["-R", "--no-dereference", user, site.path("backup")]);
  };
  function write(parts: string[], text: string): void {
    const file = site.path("backup", ...parts);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, text);
  }

  before(() => site.start());
  after(() => site.dispose());
  beforeEach(() => {
    for (const name of entries()) fs.rmSync(site.path("backup", name), { recursive: true });
    for (const name of [NEWEST, OLD, MIDDLE]) {
      write([name, "manifest.json"], JSON.stringify(MANIFEST, undefined, 1));
    }
    write([DUMP], "x".repeat(100_000));
    write([FOLDER, "dump.sql"], "y");
    write([".work", "matomo-backup-9", "made", "database.sql.zst"], "z");
    own();
  });

  async function list() {
    const { status, output } = await site.onVolume("list-backups.sh");
    assert.equal(status, 0, output);
    return parseList(output.split("\n"));
  }
  async function remove(...names: string[]) {
    const before_ = entries();
    const { status, output } = await site.onVolume("remove-backups.sh", ...names);
    return { status, output, gone: before_.filter((name) => !entries().includes(name)) };
  }
  async function refuses(names: string[], why: RegExp): Promise<void> {
    const { status, output, gone } = await remove(...names);
    assert.notEqual(status, 0, output);
    assert.match(output.trimEnd().split("\n").at(-1)!, why);
    assert.match(output, /Nothing was removed\.$/m);
    assert.deepEqual(gone, []);
  }

  it("is listed whole: backups from the oldest on, and apart from them what is none", async () => {
    const { backups, others, bytes, free } = await list();
    assert.deepEqual(
      backups.map(({ name }) => name),
      [OLD, MIDDLE, NEWEST],
    );
    assert.deepEqual(
      others.map(({ name }) => name),
      [DUMP, FOLDER],
    );
    assert.ok(others[0].bytes >= 100_000, JSON.stringify(others));
    assert.ok(Math.abs(Date.now() - Date.parse(others[0].changed)) < 600_000, others[0].changed);
    assert.ok(bytes > free && free > 0);
  });

  it("counts what has a backup's name and was never proven as none", async () => {
    write(["2020-01-04T030000Z", "manifest.json"], '{\n"proven": false\n}\n');
    const { others } = await list();
    assert.ok(others.some(({ name }) => name === "2020-01-04T030000Z"));
  });

  it("loses what is named, of either kind, and says what is left", async () => {
    const { status, output, gone } = await remove(OLD, DUMP, FOLDER);
    assert.equal(status, 0, output);
    assert.deepEqual(gone, [DUMP, FOLDER, OLD].sort());
    const { backups, others } = parseList(output.split("\n"));
    assert.deepEqual([backups.length, others], [2, []]);
    assert.deepEqual(fs.readdirSync(site.path("backup", ".work")), ["matomo-backup-9"]);
  });

  it("keeps all when one of the names is the newest proven backup's", () =>
    refuses([OLD, NEWEST], new RegExp(`${NEWEST} is the newest proven backup`)));

  for (const name of ["2020-01-09T030000Z", ".work", ".lock", "..", `../backup/${OLD}`, ""]) {
    it(`keeps all when one of the names is "${name}"`, () =>
      refuses([OLD, name], /is not on the volume/));
  }

  it("keeps all while no backup is proven: it may be the only copy", async () => {
    for (const name of [OLD, MIDDLE, NEWEST])
      fs.rmSync(site.path("backup", name), { recursive: true });
    await refuses([DUMP], /no proven backup.*only copy/);
  });

  it("keeps all when a folder of another user's could not go as a whole", async () => {
    write([FOLDER, "inner", "file"], "x");
    own();
    spawnSync("chown", ["root:root", site.path("backup", FOLDER, "inner")]);
    await refuses([OLD, FOLDER], /another user's.*inner/);
  });

  it("keeps all while another Job has the volume, and no half of a backup when that one is killed", async () => {
    const cut = await site.spawnOnVolume({ rm: HOLD }, "remove-backups.sh", OLD, MIDDLE);
    await isHeld(cut);
    await refuses([MIDDLE], /a backup or a restore is running/);
    await site.sandbox.loseContainers();
    const { backups } = await list();
    assert.deepEqual(
      backups.map(({ name }) => name),
      [MIDDLE, NEWEST],
    );
    assert.equal((await remove(MIDDLE)).status, 0);
  });
});
