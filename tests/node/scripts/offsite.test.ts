/**
 * Off-site: a backup counts there once it was read back as it was proven; every fault fails the job with its
 * reason, and harms neither what is proven on the volume nor what is proven there. A real S3 server, a real
 * restic, and the shell of its image.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { drawn, drawnBy } from "../../soak";
import { eventually } from "../../waits";
import { goOn, HOLD, isHeld } from "./faults";
import { IMPATIENT, KEY, Offsite, PASSWORD, repository } from "./offsite";
import type { Result, Running } from "./sandbox";
import { DATABASE_USER, HOST, Site, WEB_USER } from "./site";

const FILES = ["database.sql.zst", "state.tar.zst"];
const LOCKED = /WARNING: old backups stay there until the next run/;

/** restic is held before it does what these words say. */
const heldBefore = (words: string) => ({
  restic: `case "$*" in *"${words}"*) ${HOLD} ;; esac; exec $restic "$@"`,
});
/** What it uploads takes seconds: some KiB in each. */
const SLOW = {
  restic:
    'case "$*" in *"backup --no-scan"*) exec $restic --limit-upload 4096 "$@" ;; esac; exec $restic "$@"',
};

const sum = (file: string) => createHash("sha256").update(fs.readFileSync(file)).digest("hex");

/** Another byte in the middle of a file. */
function flip(file: string): void {
  const content = fs.readFileSync(file);
  content[content.length >> 1] ^= 1;
  fs.writeFileSync(file, content);
}

/** The name of a backup so many days ago. */
function nameOf(daysAgo: number): string {
  const time = new Date(Date.now() - daysAgo * 24 * 3600 * 1000).toISOString();
  return time.replace(/^(.*T)(\d\d):(\d\d):(\d\d).*$/, "$1$2$3$4Z");
}

describe("off-site backup", () => {
  const site = new Site();
  const offsite = new Offsite(site);

  before(async () => {
    await site.start();
    await offsite.start();
  });
  after(() => site.dispose());

  /** Nothing on the volume, nothing in the bucket. */
  function clear(): void {
    for (const name of site.backups()) fs.rmSync(site.path("backup", name), { recursive: true });
    fs.writeFileSync(site.path("backup", ".lock"), "");
    offsite.clear();
  }

  /** A proven backup on the volume as backup.sh publishes it; what is in it is all the same off-site. */
  function publish(daysAgo: number, mebibytes = 1): string {
    const name = nameOf(daysAgo);
    const folder = site.path("backup", name);
    fs.mkdirSync(folder);
    const [dump, state] = FILES.map((file) => path.join(folder, file));
    fs.writeFileSync(dump, randomBytes(mebibytes << 20));
    fs.writeFileSync(state, randomBytes(2000));
    const stated = [dump, state].map(
      (file) =>
        `"${path.basename(file)}": {"bytes": ${fs.statSync(file).size}, "sha256": "${sum(file)}"}`,
    );
    const manifest = [
      '{\n  "format": 1,\n  "proven": true,',
      `  "site": "${HOST}",\n  "mariadb": "12.0.2-MariaDB",\n  "matomo": "5.5.1",`,
      `  "files": {\n    ${stated.join(",\n    ")}\n  },\n  "tables": [`,
      '    {"name": "matomo_a", "rows": 40, "checksum": 1},',
      '    {"name": "matomo_b", "rows": 2, "checksum": 2}\n  ]\n}\n',
    ];
    fs.writeFileSync(path.join(folder, "manifest.json"), manifest.join("\n"));
    spawnSync("chown", ["-R", `${DATABASE_USER}:${DATABASE_USER}`, folder]);
    return name;
  }
  /** Each file of the volume's backups, with its checksum. */
  const onVolume = () =>
    site.backups().flatMap((name) => {
      const folder = site.path("backup", name);
      return fs
        .readdirSync(folder)
        .map((file) => `${name}/${file} ${sum(path.join(folder, file))}`);
    });

  async function brings(expected: string[], options?: Parameters<Offsite["bring"]>[0]) {
    const { status, output } = await offsite.bring(options);
    assert.equal(status, 0, output);
    assert.deepEqual(await offsite.proven(), expected);
    return output;
  }
  /** More is stored than before; what ended instead says why. */
  async function partIsStored(running: Running, before: number): Promise<void> {
    const isMore = () => running.exitCode !== null || offsite.packs().length > before;
    await eventually("a part is stored", isMore, "jobEnds");
    assert.equal(running.exitCode, null, running.output());
  }
  function fails({ status, output }: Result, message: RegExp): void {
    assert.notEqual(status, 0, output);
    assert.match(output, message);
    for (const secret of [KEY.secretAccessKey, PASSWORD]) assert.ok(!output.includes(secret));
  }
  /** It comes back whole, from there alone. */
  async function comesBack(name: string): Promise<void> {
    const before = onVolume();
    fs.rmSync(site.path("backup", name), { recursive: true });
    const { status, output } = await offsite.fetch(name);
    assert.equal(status, 0, output);
    assert.deepEqual(onVolume(), before);
  }

  describe("each night", () => {
    beforeEach(clear);

    it("brings each proven backup once, encrypted, and lists it with what it is", async () => {
      const names = [publish(2), publish(1)];
      fs.mkdirSync(site.path("backup", nameOf(0)));
      fs.writeFileSync(site.path("backup", nameOf(0), "manifest.json"), '{"proven": false}');
      const before = onVolume();
      const output = await brings(names);
      assert.match(output, /WARNING: there was no repository .*: an empty one was made/);
      assert.match(output, new RegExp(`${names[1]} was read back[^]*${names[0]} was read back`));
      assert.deepEqual(onVolume(), before);
      const [first] = await offsite.list();
      assert.deepEqual(first, {
        offsite: names[0],
        tags: [
          ...["proven", `site=${HOST}`, "matomo=5.5.1", "mariadb=12.0.2-MariaDB"],
          ...["bytes=1050576", "tables=2", "rows=42"],
        ],
      });
      const stored = fs.readFileSync(offsite.packs()[0]);
      const dump = fs.readFileSync(site.path("backup", names[0], FILES[0]));
      assert.ok(!stored.includes(dump.subarray(0, 64)));
      const packs = offsite.packs();
      const again = await brings(names);
      assert.doesNotMatch(again, /uploading|WARNING/);
      assert.deepEqual(offsite.packs(), packs);
      await comesBack(names[0]);
    });

    it("removes what is older than the retention, and never the newest proven one", async () => {
      const [old, newest] = [publish(60), publish(45)];
      await brings([old, newest], { env: { RETENTION_DAYS: "20" } });
      const stored = offsite.packs().length;
      await brings([newest], { env: { RETENTION_DAYS: "10" } });
      assert.ok(offsite.packs().length < stored, "what only the old one needed is gone");
      await comesBack(newest);
    });

    it("removes nothing and fails where there is nothing proven on the volume", async () => {
      const name = publish(1);
      await brings([name]);
      fs.rmSync(site.path("backup", name), { recursive: true });
      fails(await offsite.bring(), /there is no proven backup on the volume/);
      assert.deepEqual(await offsite.proven(), [name]);
    });

    it("does nothing while a backup holds the volume", async () => {
      publish(1);
      const holder = await site.sandbox.spawn({
        user: DATABASE_USER,
        mounts: { "/backup": site.path("backup") },
        command: ["flock", "/backup/.lock", "sh", "-c", "echo held; exec tail -f /dev/null"],
      });
      await eventually("the lock is held", () => holder.output().includes("held"));
      fails(await offsite.bring(), /another backup is running/);
      fails(await offsite.fetch("newest"), /a backup is running[^]*Nothing was touched/);
      holder.kill("SIGKILL");
      await site.killAll("/dev/null", "cmdline");
      await holder.finished;
    });

    it("leaves old ones until the next run while somebody else works in the repository", async () => {
      const names = [publish(60), publish(1)];
      const another = site.sandbox.volume("another", DATABASE_USER);
      fs.cpSync(site.path("backup"), another, { recursive: true });
      fs.rmSync(path.join(another, names[1]), { recursive: true });
      await brings(names, { env: { RETENTION_DAYS: "90" } });
      publish(0, 40);
      const stored = offsite.packs().length;
      const running = await offsite.spawnBring({ programs: SLOW });
      await partIsStored(running, stored);
      const { status, output } = await offsite.bring({ volume: another });
      assert.equal(status, 0, output);
      assert.match(output, LOCKED);
      assert.deepEqual(await offsite.proven(), names);
      running.kill("SIGTERM");
      await running.finished;
      const others = await offsite.bring({ volume: another });
      assert.doesNotMatch(others.output, LOCKED);
      assert.deepEqual(await offsite.proven(), [names[1]]);
    });

    it("tells a byte that flips at rest, removes nothing, and begins anew elsewhere", async () => {
      const names = [publish(2, 20), publish(1)];
      await brings(names);
      flip(offsite.packs()[0]);
      const packs = offsite.packs();
      // All that is stored is read in one night.
      const result = await offsite.bring({ env: { RETENTION_DAYS: "1" } });
      fails(result, /is damaged, and nothing was removed there: pack \w+ contains \d errors/);
      assert.deepEqual(offsite.packs(), packs);
      assert.deepEqual(await offsite.proven(), names);
      await comesBack(names[1]);
      const folder = site.path("backup", names[0]);
      const kept = `${site.path("backup")}/.kept`;
      fs.renameSync(folder, kept);
      fails(await offsite.fetch(names[0]), /cannot be read from .* Nothing was touched/);
      assert.ok(!fs.existsSync(folder));
      fs.renameSync(kept, folder);
      const { status, output } = await offsite.bring({
        env: { RESTIC_REPOSITORY: repository("another") },
      });
      assert.equal(status, 0, output);
      assert.match(output, new RegExp(`${names[0]} was read back`));
    });

    it("is told when the bucket is full, and what is proven there stays", async () => {
      await offsite.stop();
      const disk = path.dirname(offsite.folder());
      const mount = ["-t", "tmpfs", "-o", "size=12m,mode=777", "disk", disk];
      assert.equal(spawnSync("mount", mount).status, 0);
      try {
        fs.mkdirSync(offsite.folder(), { mode: 0o777 });
        fs.chmodSync(offsite.folder(), 0o777);
        await offsite.serve();
        const name = publish(2);
        await brings([name]);
        publish(1, 40);
        const volume = onVolume();
        const result = await offsite.bring({ env: IMPATIENT });
        fails(result, /was not uploaded to its end: .*(space|storage)/i);
        assert.deepEqual(onVolume(), volume);
        assert.deepEqual(await offsite.proven(), [name]);
        await comesBack(name);
      } finally {
        await offsite.stop();
        spawnSync("umount", [disk]);
        await offsite.serve();
      }
    });
  });

  describe("killed", () => {
    /** When, what is held there, and whether the backup is proven by then. */
    const POINTS: [when: string, programs: Record<string, string>, proven: boolean][] = [
      ["in the middle of the upload", SLOW, false],
      ["before it is read back", heldBefore(" dump "), false],
      ["after it was read back", heldBefore("--parent"), false],
      ["while old ones are removed", heldBefore(" prune"), true],
    ];
    let there: string[];
    before(async () => {
      clear();
      there = [publish(9)];
      await brings(there);
    });
    for (const [i, [when, programs, proven]] of drawn(POINTS, 3).entries()) {
      it(`${when}: what was proven stays, and the next run goes on; drawn by ${drawnBy}`, async () => {
        const name = publish(8 - i, 40);
        const volume = onVolume();
        const stored = offsite.packs().length;
        const running = await offsite.spawnBring({ programs });
        if (programs === SLOW) {
          await partIsStored(running, stored);
        } else {
          await isHeld(running);
        }
        await site.killAll("HOSTNAME=matomo-backup-1");
        assert.notEqual((await running.finished).status, 0);
        assert.deepEqual(await offsite.proven(), proven ? [...there, name] : there);
        assert.deepEqual(onVolume(), volume);

        there = [...there, name];
        assert.doesNotMatch(await brings(there), LOCKED);
        const { length } = offsite.stored("snapshots");
        assert.equal(length, there.length, "no unproven one is left");
        assert.deepEqual(onVolume(), volume);
        await comesBack(there[0]);
        await comesBack(name);
      });
    }

    it("is told by the pod's end, and leaves no lock", async () => {
      publish(1, 40);
      const stored = offsite.packs().length;
      const running = await offsite.spawnBring({ programs: SLOW });
      await partIsStored(running, stored);
      running.kill("SIGTERM");
      fails(await running.finished, /ERROR: ended from outside while uploading/);
      assert.deepEqual(offsite.stored("locks"), []);
    });
  });

  describe("is told, and nothing proven is harmed, when", () => {
    let name: string;
    let volume: string[];
    before(async () => {
      clear();
      name = publish(2);
      await brings([name]);
      publish(1, 20);
      volume = onVolume();
    });
    afterEach(async () => {
      assert.deepEqual(onVolume(), volume);
      await comesBack(name);
    });

    const KEYS: [what: string, key: Parameters<Offsite["credentials"]>[0], message: RegExp][] = [
      [
        "the access key is another one",
        { accessKeyId: "DO00NOBODYSKEY000000" },
        /ERROR: there is no repository .* none can be made: .*see matomo:backup\.offsite\.accessKeyId/,
      ],
      [
        "the secret key is another one",
        { secretAccessKey: "another/secret+of=nobody012345678" },
        /cannot be opened: .*Denied.*see matomo:backup\.offsite\.accessKeyId and secretAccessKey/,
      ],
      [
        "the repository has another password",
        { password: "another0password1of2nobody345678" },
        /has another password\. .*matomo:backup\.offsite\.repositoryPassword/,
      ],
    ];
    for (const [what, key, message] of KEYS) {
      it(what, async () => {
        offsite.credentials(key);
        const result = await offsite.bring();
        const fetched = await offsite.fetch("newest");
        const [{ repository: listed }] = (await offsite.list()) as {
          repository: { error: string };
        }[];
        offsite.credentials();
        fails(result, message);
        fails(fetched, /Nothing was touched/);
        assert.ok(listed.error);
      });
    }

    it("the bucket is gone; it is never made", async () => {
      fs.renameSync(offsite.folder(), `${offsite.folder()}-gone`);
      const result = await offsite.bring();
      const isMade = fs.existsSync(offsite.folder());
      const fetched = await offsite.fetch("newest");
      fs.rmSync(offsite.folder(), { recursive: true, force: true });
      fs.renameSync(`${offsite.folder()}-gone`, offsite.folder());
      fails(result, /ERROR: the bucket of .* does not exist: make it, or correct/);
      assert.ok(!isMade);
      fails(fetched, /the bucket of .* does not exist.* Nothing was touched/);
    });

    it("the server does not answer", async () => {
      await offsite.stop();
      const result = await offsite.bring({ env: IMPATIENT });
      // As patient as it is, it is not waited for.
      const listed = await offsite.list({ WAIT_SECONDS: "3" });
      await offsite.serve();
      assert.match(JSON.stringify(listed), /"error":"s3:.* did not answer within 3 s"/);
      fails(result, /ERROR: the repository .* cannot be opened: .*connection refused/);
    });

    it("a byte of the upload is another one when it is read back", async () => {
      const before = offsite.packs();
      const running = await offsite.spawnBring({ programs: heldBefore(" dump ") });
      await isHeld(running);
      flip(offsite.packs().find((pack) => !before.includes(pack))!);
      goOn(running);
      fails(
        await running.finished,
        /database\.sql\.zst of .* does not come back .* as it was proven/,
      );
      assert.deepEqual(await offsite.proven(), [name]);
    });
  });

  describe("a fetch", () => {
    beforeEach(clear);

    it("takes the newest, or one by its name, and says which there are", async () => {
      const names = [publish(2), publish(1)];
      await brings(names);
      fails(
        await offsite.fetch("2020-01-01T030000Z"),
        new RegExp(`there are: ${names.join(" ")}\\.`),
      );
      for (const name of names) fs.rmSync(site.path("backup", name), { recursive: true });
      const { status, output } = await offsite.fetch("newest");
      assert.equal(status, 0, output);
      assert.deepEqual(site.backups(), [names[1]]);
      const { uid, mode } = fs.statSync(site.path("backup", names[1], FILES[0]));
      assert.deepEqual([uid, mode & 0o007], [WEB_USER, 0]);
    });
    it("fetches nothing that is there, and puts what is whole in the place of what is not", async () => {
      const name = publish(1);
      await brings([name]);
      const volume = onVolume();
      assert.match((await offsite.fetch(name)).output, /is on the volume already/);
      flip(site.path("backup", name, FILES[0]));
      assert.match((await offsite.fetch(name)).output, /is on the volume, as it was proven/);
      assert.deepEqual(onVolume(), volume);
    });
    it("is refused where the volume has no room", async () => {
      const name = publish(1, 20);
      await brings([name]);
      fs.rmSync(site.path("backup", name), { recursive: true });
      const disk = site.sandbox.volume("small", WEB_USER);
      const mount = ["-t", "tmpfs", "-o", "size=10m,mode=777", "disk", disk];
      assert.equal(spawnSync("mount", mount).status, 0);
      const result = await offsite.fetch(name, { volume: disk });
      const left = fs.readdirSync(disk).filter((entry) => !entry.startsWith("."));
      spawnSync("umount", [disk]);
      fails(
        result,
        /\d+ MiB are free on the backup volume, 21 MiB are needed.*Nothing was touched/,
      );
      assert.deepEqual(left, []);
    });
    it("to a person's machine begins at any byte, and is told where there is no such file", async () => {
      const name = publish(1);
      await brings([name]);
      const send = async (...words: string[]) =>
        (await offsite.spawn("send-offsite.sh", { words })).finished;
      const manifest = fs.readFileSync(site.path("backup", name, "manifest.json"), "utf8");
      for (const start of [1, 20]) {
        const { status, output } = await send(name, "manifest.json", String(start));
        assert.deepEqual([status, output], [0, manifest.slice(start - 1)]);
      }
      fails(await send(name, "other", "1"), /other of .* cannot be read from s3:/);
      fails(await send("2020-01-01T030000Z", "manifest.json", "1"), /is no proven backup in s3:/);
    });
    it("of an empty repository is refused", async () => {
      fails(await offsite.fetch("newest"), /there is no repository .* Nothing was touched/);
    });
  });
});

describe("a site whose cluster is lost", () => {
  const site = new Site();
  const offsite = new Offsite(site);
  before(async () => {
    await site.start();
    await offsite.start();
    await site.up();
  });
  after(() => site.dispose());

  /** Each table with its checksum. */
  async function tables(): Promise<string> {
    const list = await site.value(
      `SELECT CONCAT('CHECKSUM TABLE \`', table_name, '\`;') FROM information_schema.tables
       WHERE table_schema = 'matomo' ORDER BY table_name`,
    );
    return site.value(list);
  }
  async function visit(): Promise<void> {
    const url = "http://matomo:8082/matomo.php?idsite=1&rec=1&url=https%3A%2F%2Fexample.com%2F";
    assert.equal((await site.http("GET", url)).status, 200);
  }

  it("comes back on a new one from off-site alone: rows, users, tokens, uploads", async () => {
    await visit();
    const upload = site.path("state", "misc/user/logo.png");
    fs.writeFileSync(upload, "the logo");
    fs.chownSync(upload, WEB_USER, WEB_USER);
    const backup = await site.backup();
    assert.equal(backup.status, 0, backup.output);
    const brought = await offsite.bring();
    assert.equal(brought.status, 0, brought.output);
    const before = await tables();
    const config = fs.readFileSync(site.path("state", "config/config.ini.php"), "utf8");
    const salt = /^salt = .*$/m.exec(config)![0];

    await site.stopWeb();
    await site.stopDatabase("SIGKILL");
    for (const volume of ["data", "state", "backup"] as const) {
      for (const entry of fs.readdirSync(site.path(volume))) {
        fs.rmSync(site.path(volume, entry), { recursive: true });
      }
    }
    await site.up();
    assert.notEqual(await tables(), before);
    await site.stopWeb();

    const tmp = site.sandbox.volume("restore-tmp", WEB_USER);
    const fetched = await offsite.fetch("newest", { tmp });
    assert.equal(fetched.status, 0, fetched.output);
    const confirmed = { RESTORE_OVERWRITE: "yes", RESTORE_CONFIRM: HOST };
    const restored = await site.restore({ BACKUP: "offsite", ...confirmed }, { "/tmp": tmp });
    assert.equal(restored.status, 0, restored.output);
    assert.equal(await tables(), before);
    const restoredConfig = fs.readFileSync(site.path("state", "config/config.ini.php"), "utf8");
    assert.ok(restoredConfig.includes(salt), "which makes the tokens valid");
    assert.equal(fs.readFileSync(upload, "utf8"), "the logo");
    await site.startWeb();
    await visit();
    const archived = await site.archive();
    assert.equal(archived.status, 0, archived.output);
  });

  it("is told where nothing was fetched, before anything is touched", async () => {
    const { status, output } = await site.restore({ BACKUP: "offsite" });
    assert.notEqual(status, 0);
    assert.match(output, /nothing was fetched from off-site.*Nothing was touched/);
  });
});
