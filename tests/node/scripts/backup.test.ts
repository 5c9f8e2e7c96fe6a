/**
 * The backup job: published only once restored and compared; every fault fails the job and leaves
 * nothing that looks like a backup, and the newest proven one alone (decision 4, incidents 5, 19).
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { drawn, drawnBy } from "../../soak";
import { eventually } from "../../waits";
import { backupWith, goOn, held, HOLD, isHeld, LOADS, pidOf, startWith } from "./faults";
import type { Running } from "./sandbox";
import { kill } from "./sandbox";
import { ARCHIVE_TOKEN, DATABASE_USER, Site, WEB_USER } from "./site";

/** A table of `rows` rows of 1 KiB that compresses to about half. */
function bulk(table: string, rows: number): string {
  return `CREATE TABLE ${table} (id INT PRIMARY KEY, body VARBINARY(1100));
    INSERT INTO ${table} SELECT seq, UNHEX(CONCAT(${'SHA2(CONCAT(seq,"a"),512),'.repeat(8)}
      REPEAT('00', 512))) FROM seq_1_to_${rows}`;
}

/** Passes a megabyte on, is held, and passes on the rest. */
const HELD_STREAM = `{ head --bytes=1000000; ${HOLD}; cat; }`;

/** The dump of the live site, which alone has a file with a password, is held in its middle. */
const HELD_DUMP = {
  "mariadb-dump":
    'set -o pipefail; [[ $1 = --defaults-extra-file* ]] || exec /usr/bin/mariadb-dump "$@"\n' +
    `/usr/bin/mariadb-dump "$@" | ${HELD_STREAM}`,
};
/** What reads the dump into the throw-away server is held in its middle. */
const HELD_RESTORE = {
  mariadb:
    `case "$*" in *"${LOADS}"*) ;; *) exec /usr/bin/mariadb "$@" ;; esac\n` +
    `set -o pipefail; ${HELD_STREAM} | /usr/bin/mariadb "$@"`,
};
describe("backup job", () => {
  const site = new Site();
  before(async () => {
    await site.start();
    await site.up();
    const upload = site.path("state", "misc/user/logo.png");
    fs.writeFileSync(upload, "the logo");
    const plugin = site.path("state", "plugins/Extra");
    fs.mkdirSync(plugin);
    fs.writeFileSync(`${plugin}/plugin.json`, '{"name": "Extra"}');
    spawnSync("chown", ["-R", `${WEB_USER}:${WEB_USER}`, upload, plugin]);
    await site.value(bulk("matomo_bulk", 30_000));
  });
  after(() => site.dispose());

  const manifest = (name: string) =>
    JSON.parse(fs.readFileSync(site.path("backup", name, "manifest.json"), "utf8"));
  /** Nothing unproven is left, anywhere on the volume. */
  const clean = () => assert.deepEqual(fs.readdirSync(site.path("backup", ".work")), []);

  it("publishes what it has restored and compared, and says so in a manifest", async () => {
    const { status, output } = await site.backup();
    assert.equal(status, 0, output);
    const [name, ...others] = site.backups();
    assert.deepEqual(others, []);
    assert.match(name, /^\d{4}-\d\d-\d\dT\d{6}Z$/);
    const files = fs.readdirSync(site.path("backup", name)).sort();
    assert.deepEqual(files, ["database.sql.zst", "manifest.json", "state.tar.zst"]);
    const said = manifest(name);
    assert.equal(said.proven, true);
    const bulkTable = said.tables.find((table: { name: string }) => table.name === "matomo_bulk");
    assert.equal(bulkTable.rows, 30_000);
    const [, checksum] = (await site.value("CHECKSUM TABLE matomo_bulk")).split("\t");
    assert.equal(String(bulkTable.checksum), checksum);
    const tables = await site.value(
      "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'matomo'",
    );
    assert.equal(String(said.tables.length), tables);
    for (const file of ["database.sql.zst", "state.tar.zst"]) {
      const { stdout } = spawnSync("sha256sum", [site.path("backup", name, file)]);
      assert.equal(stdout.toString().slice(0, 64), said.files[file].sha256);
    }
    clean();
  });

  it("holds the configuration with its salt, uploads and third-party plugins", async () => {
    const [name] = site.backups();
    const list = `set -o pipefail; zstd -dc /backup/${name}/state.tar.zst | tar -tf -`;
    const { status, output } = await site.sandbox.run({
      image: "mariadb",
      user: DATABASE_USER,
      mounts: { "/backup": site.path("backup") },
      command: ["bash", "-c", list],
    });
    assert.equal(status, 0, output);
    const members = output.split("\n");
    for (const member of [
      "config/config.ini.php",
      "misc/user/logo.png",
      "plugins/Extra/plugin.json",
    ]) {
      assert.ok(members.includes(member), member);
    }
  });

  it("keeps passwords and tokens out of its log, and readable to its own group alone", async () => {
    const [name] = site.backups();
    for (const file of fs.readdirSync(site.path("backup", name))) {
      assert.equal(fs.statSync(site.path("backup", name, file)).mode & 0o007, 0, file);
    }
  });

  /** Records visits while a backup is held, and lets it go on; the page views before them. */
  async function visitsWhile(running: Running): Promise<number> {
    await isHeld(running);
    const count = "SELECT COUNT(*) FROM matomo_log_link_visit_action";
    const before = Number(await site.value(count));
    for (let visit = 0; visit < 5; visit++) {
      const url = "http://matomo:8082/matomo.php?idsite=1&rec=1&url=https%3A%2F%2Fexample.com%2F";
      assert.equal((await site.http("GET", url)).status, 200);
    }
    assert.equal(Number(await site.value(count)), before + 5);
    goOn(running);
    return before;
  }

  it("takes no lock on the live site: visits are recorded while it dumps", async () => {
    const running = await startWith(site, HELD_DUMP);
    const before = await visitsWhile(running);
    const { status, output } = await running.finished;
    assert.equal(status, 0, output);
    const { tables } = manifest(site.backups().at(-1)!);
    const ofViews = (table: { name: string }) => table.name === "matomo_log_link_visit_action";
    const views = tables.find(ofViews);
    assert.equal(views?.rows, before, "the dump is of one moment, before them");
  });

  it("is not disturbed by visits between its first look and the dump", async () => {
    const running = await startWith(site, held("mariadb-dump", "before", "--defaults-extra-file"));
    await visitsWhile(running);
    const { status, output } = await running.finished;
    assert.equal(status, 0, output);
    assert.match(output, /table matomo_log_\w+ changed while it was dumped/);
  });

  it("takes a table for changed that is again what it was", async () => {
    await site.value("CREATE TABLE matomo_passing (id INT PRIMARY KEY)");
    const dump = [
      'change() { /usr/bin/mariadb "$1" matomo --execute="$2"; }',
      '[[ $1 = --defaults-extra-file* ]] || exec /usr/bin/mariadb-dump "$@"',
      'change "$1" "INSERT INTO matomo_passing VALUES (1)"',
      '/usr/bin/mariadb-dump "$@" && change "$1" "DELETE FROM matomo_passing"',
    ];
    const { status, output } = await backupWith(site, { "mariadb-dump": dump.join("\n") });
    await site.value("DROP TABLE matomo_passing");
    assert.equal(status, 0, output);
    assert.match(output, /table matomo_passing changed while it was dumped/);
  });

  interface SmallDisk {
    /** What is on it before the job. */
    before?: (disk: string) => void;
    /** Done in the middle of the dump. */
    meanwhile?: (disk: string) => void;
  }
  /** The whole job on a backup volume of a size, and what is on that afterwards. */
  /** Takes so many MiB of a disk. */
  function fill(file: string, mebibytes: number): void {
    assert.equal(spawnSync("fallocate", ["--length", `${mebibytes}MiB`, file]).status, 0);
  }

  async function withSmallDisk(size: string, { before, meanwhile }: SmallDisk = {}) {
    const disk = site.sandbox.volume("disk", DATABASE_USER);
    assert.equal(
      spawnSync("mount", ["-t", "tmpfs", "-o", `size=${size},mode=777`, "disk", disk]).status,
      0,
    );
    try {
      before?.(disk);
      const running = await startWith(site, meanwhile ? HELD_DUMP : {}, { "/backup": disk });
      if (meanwhile) {
        await isHeld(running);
        meanwhile(disk);
        goOn(running);
      }
      const result = await running.finished;
      const left = fs.readdirSync(disk).filter((name) => !name.startsWith("."));
      return { ...result, left };
    } finally {
      spawnSync("umount", [disk]);
    }
  }

  describe("fails, and publishes nothing, when", () => {
    let before: string[];
    let sums: string[];
    /** The checksum of each file of the backups that were there before. */
    const sumsNow = () =>
      before.flatMap((name) =>
        fs
          .readdirSync(site.path("backup", name))
          .map((file) =>
            createHash("sha256").update(fs.readFileSync(site.path("backup", name, file))),
          )
          .map((hash) => hash.digest("hex")),
      );
    const note = () => {
      before = site.backups();
      sums = sumsNow();
    };
    beforeEach(note);
    async function fails(result: { status: number | null; output: string }, message: RegExp) {
      assert.notEqual(result.status, 0, result.output);
      assert.match(result.output, message);
      assert.deepEqual(site.backups(), before);
      assert.deepEqual(sumsNow(), sums);
      for (const secret of ["mariadb/mariadb-password", "backup/state-token"]) {
        assert.ok(!result.output.includes(site.secret(secret)));
      }
    }
    it("the database restarts in the middle of the dump", async () => {
      const running = await startWith(site, HELD_DUMP);
      await isHeld(running);
      await site.stopDatabase("SIGKILL");
      goOn(running);
      const result = await running.finished;
      await site.startDatabase();
      await fails(result, /the dump broke off/);
      clean();
    });
    it("the dump's process dies", async () => {
      const running = await startWith(site, HELD_DUMP);
      await isHeld(running);
      kill(await pidOf(site, "/usr/bin/mariadb-dump"));
      goOn(running);
      await fails(await running.finished, /the dump broke off/);
      clean();
    });
    it("the throw-away server dies", async () => {
      const running = await startWith(site, HELD_RESTORE);
      await isHeld(running);
      kill(await pidOf(site, "--pid-file=/backup/.work"));
      goOn(running);
      await fails(await running.finished, /backup: ERROR: the dump does not restore/);
      clean();
    });
    it(`the pod is killed, at ten points; the next run cleans up; of those points ${drawnBy}`, async () => {
      const points: Record<string, Record<string, string>> = {
        "it asks the live site": held("mariadb", "before", "SELECT VERSION()"),
        "it measures a table": held("mariadb", "after", "CHECKSUM TABLE"),
        "the dump begins": held("mariadb-dump", "before"),
        "the dump is half done": HELD_DUMP,
        "the dump is written": held("zstd", "after", "made/database.sql.zst"),
        "the throw-away server is made": held("mariadb-install-db", "after"),
        "the dump is half restored": HELD_RESTORE,
        "it compares": held("mariadb-dump", "after", "--protocol=socket"),
        "the state is packed": held("zstd", "after", "--rm"),
        "only the name is to come": held("mv", "before", "--no-target-directory"),
      };
      assert.equal(Object.keys(points).length, 10);
      for (const [point, programs] of drawn(Object.entries(points), 3)) {
        await isKilled(point, programs);
        assert.deepEqual(site.backups(), before, point);
      }
      const result = await site.backup({ HOSTNAME: "matomo-backup-2" });
      assert.equal(result.status, 0, result.output);
      clean();
    });
    it("but is there, whole, when the pod is killed right after", async () => {
      await isKilled("it has its name", held("mv", "after", "--no-target-directory"));
      const made = site.backups().filter((name) => !before.includes(name));
      assert.equal(made.length, 1);
      assert.equal(manifest(made[0]).proven, true);
    });
    /** Every process of the pod ends at once where a program is held, as a lost node takes them. */
    async function isKilled(point: string, programs: Record<string, string>): Promise<void> {
      const running = await startWith(site, programs);
      await isHeld(running);
      await site.killAll("HOSTNAME=matomo-backup-1");
      assert.notEqual((await running.finished).status, 0, point);
      assert.deepEqual(sumsNow(), sums, point);
    }
    it("the disk has no room for it, told before anything is written", async () => {
      const result = await withSmallDisk("200m");
      assert.deepEqual(result.left, []);
      await fails(result, /\d+ MiB are free on the backup volume, \d+ MiB are needed/);
    });
    it("a table has grown and the server did not count it again", async () => {
      await site.value(
        `CREATE TABLE matomo_grown (id INT PRIMARY KEY, body BLOB) STATS_AUTO_RECALC=0;
        INSERT INTO matomo_grown SELECT seq, RANDOM_BYTES(1000) FROM seq_1_to_60000`,
      );
      try {
        // 300 MiB are for the throw-away server, and 1.6 times 70 for the table.
        const result = await withSmallDisk("360m");
        assert.deepEqual(result.left, []);
        await fails(result, /3\d\d MiB are free on the backup volume, (39|4\d)\d MiB are needed/);
      } finally {
        await site.value("DROP TABLE matomo_grown");
      }
    });
    it("the disk fills in the middle", async () => {
      await site.value(bulk("matomo_slow", 200_000));
      const result = await withSmallDisk("900m", {
        // Something else takes the room once the check has passed.
        meanwhile: (disk) => fill(path.join(disk, "hog"), 560),
      });
      await site.value("DROP TABLE IF EXISTS matomo_slow");
      assert.deepEqual(result.left, ["hog"]);
      await fails(result, /backup: ERROR/);
    });
    it("a table cannot be read", async () => {
      await site.value("CREATE TABLE matomo_unread (i INT)");
      const file = site.path("data", "matomo/matomo_unread.frm");
      const definition = fs.readFileSync(file);
      fs.writeFileSync(file, Buffer.alloc(definition.length, "lost"));
      const result = await site.backup();
      fs.writeFileSync(file, definition);
      await site.value("DROP TABLE matomo_unread");
      await fails(
        result,
        /backup: ERROR: (a table of the live site cannot be read|the dump broke off)/,
      );
      clean();
    });
    it("a table's pages are corrupt", async () => {
      await site.value(bulk("matomo_rotten", 2000));
      await site.stopDatabase();
      const file = site.path("data", "matomo/matomo_rotten.ibd");
      const handle = fs.openSync(file, "r+");
      for (let page = 70; page < 100; page++) {
        fs.writeSync(handle, Buffer.alloc(8000, 0xa5), 0, 8000, page * 16384 + 100);
      }
      fs.closeSync(handle);
      await site.startDatabase();
      const result = await site.backup();
      await fails(result, /cannot be read|broke off/);
      await site.stopDatabase("SIGKILL");
      await site.startDatabase();
      await site.value("DROP TABLE matomo_rotten");
      clean();
    });
    it("what was restored differs from the live site", async () => {
      // The client of the throw-away server loses a row on the way.
      const mariadb =
        `case "$*" in *"${LOADS}"*) ;; *) exec /usr/bin/mariadb "$@" ;; esac\n` +
        'sed "s/^(1,/(999999,/" | exec /usr/bin/mariadb "$@"';
      await fails(await backupWith(site, { mariadb }), /differs from the dump/);
    });
    it("the dump lacks a row of an unchanged table", async () => {
      // The live site has always counted one more.
      const count = "/usr/bin/mariadb \"$@\" | sed '1s/^30000$/30001/'; exit";
      const mariadb = `case "$*" in */client.*COUNT*matomo_bulk*) ${count} ;; esac\nexec /usr/bin/mariadb "$@"`;
      const result = await backupWith(site, { mariadb });
      await fails(result, /matomo_bulk was restored with 30000 rows .*unchanged.* 30001 rows/);
    });
    it("the dump lacks a row of a table that cannot be read a second time", async () => {
      const count = "/usr/bin/mariadb \"$@\" | sed '1s/^30000$/30001/'; exit";
      const once = `[ ! -e /tmp/counted ] || exit 1; : >/tmp/counted; ${count}`;
      const mariadb = `case "$*" in */client.*COUNT*matomo_bulk*) ${once} ;; esac\nexec /usr/bin/mariadb "$@"`;
      const result = await backupWith(site, { mariadb });
      await fails(result, /table matomo_bulk cannot be read a second time/);
    });
    for (const [file, what] of [
      ["database.sql.zst", "dump"],
      ["state.tar.zst", "state"],
    ]) {
      it(`the ${what} cannot be read for its checksum`, async () => {
        const sha256sum = `case "$*" in */${file}) exit 1 ;; esac\nexec /usr/bin/sha256sum "$@"`;
        const result = await backupWith(site, { sha256sum });
        await fails(result, new RegExp(`the ${what} cannot be read again`));
      });
    }
    it("the dump lacks a table of the live site", async () => {
      const dump = 'exec /usr/bin/mariadb-dump "$@" --ignore-table=matomo.matomo_bulk';
      const result = await backupWith(site, { "mariadb-dump": dump });
      await fails(result, /the dump lacks tables of the live site: matomo_bulk/);
    });
    it("the client is older than the server", async () => {
      const mariadbd = 'echo "mariadbd  Ver 10.3.1-MariaDB for Linux"';
      const result = await backupWith(site, { mariadbd });
      await fails(result, /client is 10\.3, the server .*incident 19/);
    });
    it("the client is older, by whatever form the server's version has", async () => {
      const forms = [
        "10.4.2-MariaDB-1:10.4.2+maria~ubu2204",
        "10.4.2-MariaDB-ubu2404-log",
        "10.4.2",
      ];
      for (const form of forms) {
        // `mariadb` as the job asks it for the version; what follows is another test's.
        const mariadb = `case $* in *"SELECT VERSION()"*) echo '${form}' ;; *) exit 1 ;; esac`;
        const client = (version: string) => `echo "mariadbd  Ver ${version}-MariaDB for Linux"`;
        const older = await backupWith(site, { mariadb, mariadbd: client("10.3.9") });
        await fails(older, /client is 10\.3, the server .*incident 19/);
        const same = await backupWith(site, { mariadb, mariadbd: client("10.4.1") });
        assert.doesNotMatch(same.output, /incident 19/, form);
      }
    });
    it("the client or the server does not say its version", async () => {
      const nothing = { mariadb: "exit 0" };
      await fails(await backupWith(site, nothing), /the server "": .* cannot be compared/);
      const odd = { mariadbd: "echo MariaDB" };
      await fails(await backupWith(site, odd), /the client says "" .* cannot be compared/);
    });
    it("the database refuses the password", async () => {
      const right = site.secret("mariadb/mariadb-password");
      const user = { "mariadb-username": "mariadb-admin" };
      site.sandbox.files("secrets/mariadb", { ...user, "mariadb-password": "wrong-password" });
      const result = await site.backup();
      site.sandbox.files("secrets/mariadb", { ...user, "mariadb-password": right });
      await fails(result, /cannot be reached with the Secret's password/);
    });
    it("another backup is running", async () => {
      const held = { user: DATABASE_USER, mounts: { "/backup": site.path("backup") } };
      // Longer than anybody waits; no other process of the sandbox sleeps for that long.
      const command = ["flock", "/backup/.lock", "bash", "-c", "echo held; sleep 86399"];
      const holder = await site.sandbox.spawn({ ...held, command });
      await eventually("the lock", () => holder.output().includes("held"));
      const result = await site.backup();
      for (const pid of site.pidsWith("/backup/.lock", "cmdline")) kill(pid);
      for (const pid of site.pidsWith("sleep\x0086399", "cmdline")) kill(pid);
      await holder.finished;
      await fails(result, /another backup is running/);
    });
    it("the web pod does not answer", async () => {
      await site.stopWeb();
      const result = await site.backup({ WAIT_SECONDS: "1" });
      await site.startWeb();
      await fails(result, /the web pod did not answer for 1 s/);
    });
    it("the state's token is wrong", async () => {
      const token = site.secret("backup/state-token");
      const wrong = token.replace(/./g, "x");
      const dir = site.sandbox.files("other-secret", { "state-token": wrong });
      await fails(await site.fetchState({}, { "/run/secrets/backup": `${dir}:ro` }), /HTTP 401/);
    });
    it("the state breaks off, or lacks its salt", async () => {
      for (const [answer, message] of [
        ["res.end(whole.subarray(0, 3000))", /no whole tar|lacks files of its own list/],
        [
          "res.writeHead(200, {'Content-Length': whole.length}).write(whole.subarray(0, 2000)); setTimeout(() => res.destroy(), 50)",
          /broke off/,
        ],
        ["whole[whole.indexOf('salt =')] = 88; res.end(whole)", /lacks files of its own list/],
      ] as const) {
        const script = `
          const whole = require("node:child_process").execFileSync("curl", ["-sf", "-H",
            "Authorization: Bearer " + process.env.TOKEN, "http://matomo-state:8081/"]);
          require("node:http").createServer((req, res) => {
            if (!req.headers.authorization) return res.writeHead(401).end();
            ${answer};
          })
            .listen(9100, "127.0.0.1", () => console.log("ready"));`;
        const server = await site.sandbox.spawn({
          user: 65534,
          mounts: {},
          env: { TOKEN: site.secret("backup/state-token") },
          command: [process.execPath, "-e", script],
        });
        await new Promise((resolve) => server.stdout!.once("data", resolve));
        const result = await site.fetchState({ STATE_URL: "http://matomo:9100" });
        server.kill("SIGKILL");
        await server.finished;
        await fails(result, message);
      }
    });
  });

  describe("prunes", () => {
    function old(name: string, proven: boolean, volume = site.path("backup")): string {
      const folder = path.join(volume, name);
      fs.mkdirSync(folder, { recursive: true });
      fs.writeFileSync(path.join(folder, "manifest.json"), `{\n  "proven": ${proven}\n}\n`);
      spawnSync("chown", ["-R", `${DATABASE_USER}:${DATABASE_USER}`, folder]);
      return folder;
    }
    it("what is older than the retention, but not what it did not make", async () => {
      for (const name of site.backups()) fs.rmSync(site.path("backup", name), { recursive: true });
      old("2020-01-01T000000Z", true);
      old("2020-01-02T000000Z", true);
      fs.writeFileSync(site.path("backup", "matomo-20200101.sql.gz"), "the old chart's");
      const { status, output } = await site.backup();
      assert.equal(status, 0, output);
      // `fleet backup` shows the last line: it is the new backup's.
      const order =
        /removed 2020-01-01T000000Z[^]*removed 2020-01-02T000000Z[^]*published \S+: .*$/;
      assert.match(output.trimEnd(), order);
      assert.equal(site.backups().length, 2);
      assert.ok(site.backups().includes("matomo-20200101.sql.gz"));
    });
    it("never the newest proven one, however old, and nothing when the backup failed", async () => {
      for (const name of site.backups()) fs.rmSync(site.path("backup", name), { recursive: true });
      old("2020-01-01T000000Z", true);
      old("2020-01-02T000000Z", true);
      assert.notEqual((await backupWith(site, { "mariadb-dump": "exit 1" })).status, 0);
      assert.deepEqual(site.backups(), ["2020-01-01T000000Z", "2020-01-02T000000Z"]);
    });
    it("first where the old ones leave no room for a new one, but not the newest proven one", async () => {
      const big = (name: string) => (disk: string) => {
        old("2020-01-02T000000Z", true, disk);
        const folder = old(name, true, disk);
        fill(path.join(folder, "database.sql.zst"), 700);
      };
      const made = await withSmallDisk("1000m", { before: big("2020-01-01T000000Z") });
      assert.equal(made.status, 0, made.output);
      assert.match(made.output, /removed 2020-01-01T000000Z[^]*dumping[^]*published/);
      const newest = await withSmallDisk("1000m", { before: big("2020-01-03T000000Z") });
      assert.notEqual(newest.status, 0, newest.output);
      assert.deepEqual(newest.left, ["2020-01-03T000000Z"]);
    });
    it("the oldest, however young, where a new one has no room, and none where that is not enough", async () => {
      const daysAgo = (days: number) =>
        `${new Date(Date.now() - days * 86_400_000).toISOString().slice(0, 10)}T000000Z`;
      const filled = (sizes: number[]) => (disk: string) => {
        for (const [i, size] of sizes.entries()) {
          const folder = old(daysAgo(sizes.length - i), true, disk);
          fill(path.join(folder, "database.sql.zst"), size);
        }
      };
      const made = await withSmallDisk("1000m", { before: filled([400, 200, 100]) });
      assert.equal(made.status, 0, made.output);
      const [oldest, ...others] = [3, 2, 1].map(daysAgo);
      assert.match(
        made.output,
        new RegExp(`removed ${oldest}: a new one has no room[^]*published`),
      );
      assert.deepEqual(made.left.slice(0, 2), others);
      const full = await withSmallDisk("1000m", { before: filled([100, 700]) });
      assert.notEqual(full.status, 0, full.output);
      assert.match(full.output, /beside the newest proven one/);
      assert.deepEqual(full.left, [2, 1].map(daysAgo));
    });
  });
});

describe("restore", () => {
  const site = new Site();
  before(async () => {
    await site.start();
    await site.up();
    const url = "http://matomo:8082/matomo.php?idsite=1&rec=1&url=https%3A%2F%2Fexample.com%2F";
    assert.equal((await site.http("GET", url)).status, 200);
    await site.value("UPDATE matomo_user SET email = 'changed@example.com' WHERE login = 'admin'");
    // A month's first archive is a table that comes while the backup is made.
    const made = `mariadb "$1" matomo --execute="CREATE TABLE matomo_meanwhile AS SELECT 1 AS i"`;
    const dump =
      `case "$1" in --defaults-extra-file=*) ${made} ;; esac\n` + 'exec /usr/bin/mariadb-dump "$@"';
    const result = await backupWith(site, { "mariadb-dump": dump });
    assert.equal(result.status, 0, result.output);
    await site.stopWeb();
  });
  after(() => site.dispose());

  const confirmed = { RESTORE_OVERWRITE: "yes", RESTORE_CONFIRM: "matomo.example.com" };
  const counts = () =>
    site.value(
      "SELECT (SELECT COUNT(*) FROM matomo_log_visit), (SELECT email FROM matomo_user WHERE login = 'admin')",
    );

  it("refuses to overwrite a live site unless told twice", async () => {
    const cases: Record<string, string>[] = [
      {},
      { RESTORE_OVERWRITE: "yes" },
      { RESTORE_CONFIRM: "matomo.example.com" },
      { RESTORE_OVERWRITE: "yes", RESTORE_CONFIRM: "other.example.com" },
    ];
    for (const env of cases) {
      const { status, output } = await site.restore({ BACKUP: "newest", ...env });
      assert.equal(status, 1, output);
      assert.match(output, /RESTORE_OVERWRITE=yes and RESTORE_CONFIRM=.* Nothing was touched\./);
    }
    assert.equal(await counts(), "1\tchanged@example.com");
  });

  it("refuses what is no proven backup, or is not what was proven", async () => {
    assert.match(
      (await site.restore({ BACKUP: "2020" })).output,
      /2020 is no proven backup; there are: .*Z\. Nothing was touched\./,
    );
    const [name] = site.backups();
    const copy = "2020-01-01T000000Z";
    fs.cpSync(site.path("backup", name), site.path("backup", copy), { recursive: true });
    fs.appendFileSync(site.path("backup", copy, "database.sql.zst"), "x");
    const { status, output } = await site.restore({ BACKUP: copy, ...confirmed });
    assert.equal(status, 1);
    assert.match(output, /database\.sql\.zst of .* its checksum differs\. Nothing was touched\./);
    fs.rmSync(site.path("backup", copy), { recursive: true });
    // By a MariaDB that nobody knows: it may be newer than the server.
    fs.cpSync(site.path("backup", name), site.path("backup", copy), { recursive: true });
    const manifest = site.path("backup", copy, "manifest.json");
    const text = fs.readFileSync(manifest, "utf8");
    fs.writeFileSync(manifest, text.replace(/"mariadb": ".*"/, '"mariadb": ""'));
    const unknown = await site.restore({ BACKUP: copy, ...confirmed });
    assert.equal(unknown.status, 1, unknown.output);
    assert.match(unknown.output, /does not say which MariaDB .* Nothing was touched\./);
    fs.rmSync(site.path("backup", copy), { recursive: true });
  });

  it("brings the whole site back into another cluster's empty volumes, tokens valid", async () => {
    await site.stopDatabase();
    const secret = path.join(site.sandbox.dir, "secrets/mariadb/mariadb-password");
    fs.writeFileSync(secret, "of-the-other-cluster");
    for (const volume of ["data", "state"] as const) {
      for (const entry of fs.readdirSync(site.path(volume))) {
        fs.rmSync(site.path(volume, entry), { recursive: true });
      }
    }
    await site.startDatabase();
    const { status, output } = await site.restore({ BACKUP: "newest" });
    assert.equal(status, 0, output);
    assert.equal(await counts(), "1\tchanged@example.com");
    assert.equal(await site.value("SELECT i FROM matomo_meanwhile"), "1");
    for (const step of [await site.layout(), await site.install()])
      assert.equal(step.status, 0, step.output);
    await site.startWeb();
    const data = `module=API&method=API.getMatomoVersion&format=json&token_auth=${ARCHIVE_TOKEN}`;
    const { body } = await site.http("POST", "http://matomo:8082/index.php", { data });
    assert.match(JSON.parse(body).value, /^\d+\.\d+/);
    await site.stopWeb();
  });

  it("replaces a live site when told twice, puts its state aside, and drops later tables", async () => {
    await site.value("CREATE TABLE matomo_later (i INT); DELETE FROM matomo_log_visit");
    fs.appendFileSync(site.path("state", "config/config.ini.php"), "; later\n");
    const { status, output } = await site.restore({ BACKUP: "newest", ...confirmed });
    assert.equal(status, 0, output);
    assert.equal(await counts(), "1\tchanged@example.com");
    assert.equal(await site.value("SHOW TABLES LIKE 'matomo_later'"), "");
    const aside = fs
      .readdirSync(site.path("state", ".matomo"))
      .filter((name) => name.startsWith("replaced-"));
    const kept = site.path("state", ".matomo", aside[0], "config/config.ini.php");
    assert.match(fs.readFileSync(kept, "utf8"), /; later/);
  });

  it("that was killed keeps the web pod from starting, and ends well when run again", async () => {
    const held = site.sandbox.shims({ zstd: "exec sleep infinity" });
    const restore = site.restore({ BACKUP: "newest", ...confirmed, ...held.env }, held.mounts);
    await eventually("the restore", () => site.value("SHOW TABLES LIKE 'fleet_restore%'"));
    await site.killAll("RESTORE_OVERWRITE=yes");
    assert.notEqual((await restore).status, 0);
    const install = await site.install();
    assert.equal(install.status, 1);
    assert.match(install.output, /a restore into this database has not finished/);
    const { status, output } = await site.restore({ BACKUP: "newest" });
    assert.equal(status, 0, output);
    assert.equal(await counts(), "1\tchanged@example.com");
  });
});
