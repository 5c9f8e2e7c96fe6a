/**
 * The backup job: published only once restored and compared; every fault fails the job and leaves
 * nothing that looks like a backup, and the newest proven one alone (decision 4, incidents 5, 19).
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { ARCHIVE_TOKEN, DATABASE_USER, Site, until, WEB_USER } from "./site";

/** A table of `rows` rows of 1 KiB that compresses to about half. */
function bulk(table: string, rows: number): string {
  return `CREATE TABLE ${table} (id INT PRIMARY KEY, body VARBINARY(1100));
    INSERT INTO ${table} SELECT seq, UNHEX(CONCAT(${'SHA2(CONCAT(seq,"a"),512),'.repeat(8)}
      REPEAT('00', 512))) FROM seq_1_to_${rows}`;
}

/** A process may end before it is killed. */
function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, "ESRCH");
  }
}
/** All processes of a pod, those included that are forked meanwhile. */
function killAll(site: Site, environment: string): void {
  for (let pids = [-1]; pids.length; pids = site.pidsWith(environment)) {
    pids.filter((pid) => pid > 0).forEach(kill);
  }
}
/** The first process whose command line holds a text. */
async function pidOf(site: Site, text: string): Promise<number> {
  await until(text, async () => site.pidsWith(text, "cmdline").length > 0);
  return site.pidsWith(text, "cmdline")[0];
}

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

  it("holds the configuration with its salt, uploads and third-party plugins", () => {
    const [name] = site.backups();
    const archive = site.path("backup", name, "state.tar.zst");
    const { stdout } = spawnSync("bash", ["-c", `zstd -dc ${archive} | tar -tf -`]);
    const members = stdout.toString().split("\n");
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

  it("takes no lock on the live site: visits are recorded while it dumps", async () => {
    const running = site.backup();
    let visits = 0;
    let done = false;
    void running.then(() => (done = true));
    while (!done) {
      const url = "http://matomo:8082/matomo.php?idsite=1&rec=1&url=https%3A%2F%2Fexample.com%2F";
      assert.equal((await site.http("GET", url)).status, 200);
      visits++;
    }
    const { status, output } = await running;
    assert.equal(status, 0, output);
    assert.match(output, /table matomo_log_\w+ changed while it was dumped/);
    assert.ok(visits > 3);
  });

  it("dumps about as fast as the raw pipeline does", async function () {
    this.timeout(300_000);
    await site.value(bulk("matomo_speed", 250_000));
    const raw = `
      begun=$(date +%s%3N)
      printf '[client]\\nhost=matomo-mariadb\\nuser=mariadb-admin\\npassword="%s"\\n' "$P" >/tmp/c.cnf
      mariadb-dump --defaults-extra-file=/tmp/c.cnf --single-transaction --quick matomo |
        zstd -q -3 -o /backup/.raw.zst
      echo $(($(date +%s%3N) - begun)); rm -f /backup/.raw.zst`;
    const password = site.secret("mariadb/mariadb-password").replace(/\\/g, "\\\\");
    const ours: number[] = [];
    const theirs: number[] = [];
    // Alternating, and the best of each: other work on the machine slows both.
    for (let round = 0; round < 5; round++) {
      const result = await site.backup();
      assert.equal(result.status, 0, result.output);
      ours.push(manifest(site.backups().sort().pop()!).milliseconds.dump);
      const container = { user: DATABASE_USER, mounts: { "/backup": site.path("backup") } };
      const env = { P: password.replace(/"/g, '\\"') };
      const run = await site.sandbox.run({ ...container, env, command: ["bash", "-c", raw] });
      theirs.push(Number(run.output.trim().split("\n").pop()));
    }
    await site.value("DROP TABLE matomo_speed");
    const ratio = Math.min(...theirs) / Math.min(...ours);
    console.log(`      raw ${theirs} ms, ours ${ours} ms: ${(ratio * 100).toFixed(0)}%`);
    // 90% is what is wanted, and printed above; a second pass over the dump would halve it, other work
    // on the machine takes a tenth from one run and not from the next.
    assert.ok(ratio >= 0.75, `raw ${theirs} ms, ours ${ours} ms`);
  });

  describe("fails, and publishes nothing, when", () => {
    let before: string[];
    beforeEach(() => (before = site.backups()));
    async function fails(result: { status: number | null; output: string }, message: RegExp) {
      assert.notEqual(result.status, 0, result.output);
      assert.match(result.output, message);
      assert.deepEqual(site.backups(), before);
      for (const secret of ["mariadb/mariadb-password", "backup/state-token"]) {
        assert.ok(!result.output.includes(site.secret(secret)));
      }
    }
    /** Starts the main container and waits until it says a word. */
    async function started(word: string, env = {}) {
      const state = await site.fetchState();
      assert.equal(state.status, 0, state.output);
      const running = await site.spawnBackup(env);
      await until(word, async () => running.output().includes(word));
      return running;
    }

    it("the database restarts in the middle of the dump", async () => {
      // A table that takes seconds to dump.
      await site.value(bulk("matomo_slow", 400_000));
      const running = await started("dumping");
      const dump = site.path("backup", ".work/matomo-backup-1/made/database.sql.zst");
      await until("the dump", async () => fs.existsSync(dump) && fs.statSync(dump).size > 1e6);
      await site.stopDatabase("SIGKILL");
      const result = await running.finished;
      await site.startDatabase();
      await fails(result, /the dump broke off/);
      clean();
    });
    it("the dump's process dies", async () => {
      const running = await started("dumping");
      const pid = await pidOf(site, "mariadb-dump");
      process.kill(pid, "SIGKILL");
      await fails(await running.finished, /the dump broke off/);
      clean();
    });
    it("the throw-away server dies", async () => {
      const running = await started("restoring");
      const server = site.path("backup", ".work/matomo-backup-1/server/socket");
      await until("the server", async () => fs.existsSync(server));
      process.kill(await pidOf(site, "/backup/.work"), "SIGKILL");
      await fails(await running.finished, /backup: ERROR/);
      clean();
    });
    it("the pod is killed, at ten points; the next run cleans up", async function () {
      this.timeout(300_000);
      await site.value("DROP TABLE matomo_slow");
      const begun = Date.now();
      assert.equal((await site.backup()).status, 0);
      const whole = Date.now() - begun;
      before = site.backups();
      let killed = 0;
      for (let point = 1; point <= 10; point++) {
        const state = await site.fetchState();
        assert.equal(state.status, 0, state.output);
        const running = await site.spawnBackup();
        await new Promise((resolve) => setTimeout(resolve, (whole * point) / 12));
        // Every process of the pod at once, as a node that goes down takes them.
        killAll(site, "HOSTNAME=matomo-backup-1");
        const { status } = await running.finished;
        if (status !== 0) killed++;
        const proven = site.backups();
        assert.ok(status === 0 ? proven.length === before.length + 1 : true);
        for (const name of proven) assert.equal(manifest(name).proven, true);
        if (status !== 0) assert.deepEqual(proven, before);
        before = proven;
      }
      assert.ok(killed >= 7, `${killed} of 10`);
      const result = await site.backup({ HOSTNAME: "matomo-backup-2" });
      assert.equal(result.status, 0, result.output);
      clean();
      before = site.backups();
    });
    it("the disk has no room for it, told before anything is written", async () => {
      const result = await withSmallDisk("200m");
      await fails(result, /\d+ MiB are free on the backup volume, \d+ MiB are needed/);
    });
    it("the disk fills in the middle", async () => {
      await site.value(bulk("matomo_slow", 200_000));
      const result = await withSmallDisk("900m", (disk) => {
        // Something else takes the room once the check has passed.
        fs.writeFileSync(path.join(disk, "hog"), Buffer.alloc(560 << 20));
      });
      await site.value("DROP TABLE matomo_slow");
      await fails(result, /backup: ERROR/);
    });
    it("a table cannot be read", async () => {
      // MariaDB says of a broken view what it says of a table whose definition it lost.
      await site.value(
        "CREATE TABLE gone (i INT); CREATE VIEW matomo_broken AS SELECT * FROM gone; DROP TABLE gone",
      );
      const result = await site.backup();
      await site.value("DROP VIEW matomo_broken");
      await fails(result, /backup: ERROR/);
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
      const bin = site.sandbox.files(
        "bin",
        {
          mariadb:
            '#!/bin/bash\ncase "$*" in *socket*execute*|*defaults-extra*) exec /usr/bin/mariadb "$@" ;; esac\n' +
            'sed "s/^(1,/(999999,/" | exec /usr/bin/mariadb "$@"\n',
        },
        0o755,
      );
      const state = await site.fetchState();
      assert.equal(state.status, 0);
      const running = await site.spawnBackup(
        { PATH: "/shims:/usr/sbin:/usr/bin:/sbin:/bin" },
        { "/shims": bin },
      );
      const result = await running.finished;
      await fails(result, /differs from the dump/);
    });
    it("the client is older than the server", async () => {
      const bin = site.sandbox.files(
        "bin",
        {
          mariadbd: '#!/bin/bash\necho "mariadbd  Ver 10.3.1-MariaDB for Linux"\n',
        },
        0o755,
      );
      await site.fetchState();
      const running = await site.spawnBackup(
        { PATH: "/shims:/usr/sbin:/usr/bin:/sbin:/bin" },
        { "/shims": bin },
      );
      const result = await running.finished;
      await fails(result, /client is 10\.3, the server .*incident 19/);
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
      const command = ["flock", "/backup/.lock", "bash", "-c", "echo held; sleep 60"];
      const holder = await site.sandbox.spawn({ ...held, command });
      await until("the lock", async () => holder.output().includes("held"));
      const result = await site.backup();
      for (const pid of site.pidsWith("/backup/.lock", "cmdline")) kill(pid);
      for (const pid of site.pidsWith("sleep\x0060", "cmdline")) kill(pid);
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
          command: ["node", "-e", script],
        });
        await new Promise((resolve) => server.stdout!.once("data", resolve));
        const result = await site.fetchState({ STATE_URL: "http://matomo:9100" });
        server.kill("SIGKILL");
        await server.finished;
        await fails(result, message);
      }
    });

    /** The whole job on a backup volume of a size; `meanwhile` runs once the dump has begun. */
    async function withSmallDisk(size: string, meanwhile?: (disk: string) => void) {
      const disk = site.sandbox.volume("disk", DATABASE_USER);
      assert.equal(
        spawnSync("mount", ["-t", "tmpfs", "-o", `size=${size},mode=777`, "disk", disk]).status,
        0,
      );
      try {
        const mounts = { "/backup": disk };
        const state = await site.fetchState({}, mounts);
        assert.equal(state.status, 0, state.output);
        const running = await site.spawnBackup({}, mounts);
        if (meanwhile) {
          await until("the dump", async () => running.output().includes("dumping"));
          meanwhile(disk);
        }
        const result = await running.finished;
        const left = fs.readdirSync(disk).filter((name) => !name.startsWith("."));
        assert.deepEqual(
          left.filter((name) => name !== "hog"),
          [],
        );
        return result;
      } finally {
        spawnSync("umount", [disk]);
      }
    }
  });

  describe("prunes", () => {
    function old(name: string, proven: boolean): void {
      fs.mkdirSync(site.path("backup", name), { recursive: true });
      fs.writeFileSync(site.path("backup", name, "manifest.json"), `{\n  "proven": ${proven}\n}\n`);
    }
    it("what is older than the retention, but not what it did not make", async () => {
      for (const name of site.backups()) fs.rmSync(site.path("backup", name), { recursive: true });
      old("2020-01-01T000000Z", true);
      old("2020-01-02T000000Z", true);
      fs.writeFileSync(site.path("backup", "matomo-20200101.sql.gz"), "the old chart's");
      const { status, output } = await site.backup();
      assert.equal(status, 0, output);
      assert.match(output, /removed 2020-01-01T000000Z[^]*removed 2020-01-02T000000Z/);
      assert.equal(site.backups().length, 2);
      assert.ok(site.backups().includes("matomo-20200101.sql.gz"));
    });
    it("never the newest proven one, however old, and nothing when the backup failed", async () => {
      for (const name of site.backups()) fs.rmSync(site.path("backup", name), { recursive: true });
      old("2020-01-01T000000Z", true);
      old("2020-01-02T000000Z", true);
      await site.value(
        "CREATE TABLE gone (i INT); CREATE VIEW broken AS SELECT * FROM gone; DROP TABLE gone",
      );
      assert.notEqual((await site.backup()).status, 0);
      await site.value("DROP VIEW broken");
      assert.deepEqual(site.backups(), ["2020-01-01T000000Z", "2020-01-02T000000Z"]);
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
    const result = await site.backup();
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
      assert.match(output, /Nothing was touched.*RESTORE_OVERWRITE=yes and RESTORE_CONFIRM=/);
    }
    assert.equal(await counts(), "1\tchanged@example.com");
  });

  it("refuses what is no proven backup, or is not what was proven", async () => {
    assert.match(
      (await site.restore({ BACKUP: "2020" })).output,
      /2020 is no proven backup; there are: /,
    );
    const [name] = site.backups();
    const copy = "2020-01-01T000000Z";
    fs.cpSync(site.path("backup", name), site.path("backup", copy), { recursive: true });
    fs.appendFileSync(site.path("backup", copy, "database.sql.zst"), "x");
    const { status, output } = await site.restore({ BACKUP: copy, ...confirmed });
    assert.equal(status, 1);
    assert.match(output, /database\.sql\.zst of .* its checksum differs/);
    fs.rmSync(site.path("backup", copy), { recursive: true });
  });

  it("brings the whole site back into an empty database and volume, tokens valid", async () => {
    await site.stopDatabase();
    for (const volume of ["data", "state"] as const) {
      for (const entry of fs.readdirSync(site.path(volume))) {
        fs.rmSync(site.path(volume, entry), { recursive: true });
      }
    }
    await site.startDatabase();
    const { status, output } = await site.restore({ BACKUP: "newest" });
    assert.equal(status, 0, output);
    assert.equal(await counts(), "1\tchanged@example.com");
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
    const restore = site.restore({ BACKUP: "newest", ...confirmed });
    await until(
      "the restore",
      async () => (await site.value("SHOW TABLES LIKE 'fleet_restore%'")) !== "",
    );
    killAll(site, "BACKUP=newest");
    assert.notEqual((await restore).status, 0);
    const install = await site.install();
    assert.equal(install.status, 1);
    assert.match(install.output, /a restore into this database has not finished/);
    const { status, output } = await site.restore({ BACKUP: "newest" });
    assert.equal(status, 0, output);
    assert.equal(await counts(), "1\tchanged@example.com");
  });
});
