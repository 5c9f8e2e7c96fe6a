/**
 * The fleet command on a site whose pods really run: what a Job said, which backups are proven, and
 * a site that comes back from one. TLS ends at a front of this file, as it does at the ingress.
 */
import * as assert from "node:assert/strict";
import { createHash } from "node:crypto";
import * as fs from "node:fs/promises";
import * as http from "node:http";
import * as https from "node:https";
import type { AddressInfo } from "node:net";
import * as path from "node:path";
import { certificateOf } from "../certificate";
import { benchOf, type FleetBench } from "../fleet/bench";
import { eventually, within } from "../waits";
import { assertBroughtBack, belongings, furnish, spoil, takeAway } from "./furniture";
import { HOST, type NodeSite, sharedSite } from "./harness";

describe("the fleet command on a running site", () => {
  let site: NodeSite;
  let bench: FleetBench;
  let front: https.Server;
  let certificate: string;

  before(async () => {
    site = await sharedSite();
    bench = await benchOf(site);
    const pem = await certificateOf(HOST);
    certificate = path.join(site.folder, "front.pem");
    await fs.writeFile(certificate, pem.cert);
    front = https.createServer(pem, (request, response) => {
      const { method, url, headers } = request;
      const forwarded = { ...headers, "x-forwarded-proto": "https" };
      const options = { method, path: url, headers: forwarded, agent: false };
      request.pipe(
        http
          .request(site.url, options, (answer) => {
            response.writeHead(answer.statusCode!, answer.headers);
            answer.pipe(response);
          })
          .on("error", () => response.destroy()),
      );
    });
    await new Promise<void>((resolve) => front.listen(0, "127.0.0.1", resolve));
  });
  after(async () => {
    front?.closeAllConnections();
    await new Promise((resolve) => (front ? front.close(resolve) : resolve(undefined)));
  });

  /** Runs the command with the front's certificate among those that are trusted. */
  const fleet = (...args: string[]) =>
    bench.runWith({ env: { NODE_EXTRA_CA_CERTS: certificate } }, ...args);
  const address = () => `--address=127.0.0.1:${(front.address() as AddressInfo).port}`;

  it("archives, in Matomo's own words", async () => {
    const { ok, said, log } = await bench.json("archive", "local");
    assert.ok(ok, said);
    assert.equal(said, "archive: done");
    assert.match(log.join("\n"), /Done archiving!/);
  });

  it("backs up, and lists what it proved", async () => {
    const backup = await fleet("backup", "local");
    assert.equal(backup.exitCode, 0, backup.stdout);
    const [, name] = /^local ok: .*?(\d{4}-\d\d-\d\dT\d{6}Z)/.exec(backup.stdout) ?? [];
    assert.ok(name, backup.stdout);
    const list = await fleet("backups", "local");
    assert.equal(list.exitCode, 0, list.stderr);
    assert.match(list.stdout, new RegExp(`^${name} .*restored and compared in `, "m"));
    const { backups } = await bench.json("backups", "local");
    const newest = backups.at(-1);
    assert.equal(newest.name, name);
    assert.ok(newest.rows > 0 && newest.tables > 0 && newest.bytes > 0, JSON.stringify(newest));
  });

  it("brings one to this machine, as its manifest says, and goes on with what was cut short", async () => {
    const to = path.join(site.folder, "downloads");
    const { name, folder, bytes } = await bench.json("backups", "download", "local", "--to", to);
    assert.equal(folder, path.join(to, name));
    assert.deepEqual((await fs.readdir(folder)).sort(), [
      "database.sql.zst",
      "manifest.json",
      "state.tar.zst",
    ]);
    const dump = path.join(folder, "database.sql.zst");
    const { files } = JSON.parse(await fs.readFile(path.join(folder, "manifest.json"), "utf8"));
    const whole = await fs.readFile(dump);
    const sum = (data: Buffer) => createHash("sha256").update(data).digest("hex");
    assert.equal(sum(whole), files["database.sql.zst"].sha256);
    assert.ok(bytes > whole.length);
    for (const [file, mode] of [
      [folder, 0o700],
      [dump, 0o600],
    ] as const) {
      assert.equal((await fs.stat(file)).mode & 0o777, mode);
    }

    // A first half that is right is kept, and one that is not is known by the sum.
    const half = whole.subarray(0, whole.length / 2);
    for (const [start, isRight] of [
      [half, true],
      [half.map((byte) => byte ^ 1), false],
    ] as const) {
      await fs.rm(dump, { force: true });
      await fs.writeFile(`${dump}.partial`, start);
      const from = ["--from", name];
      const { exitCode, stderr } = await fleet("backups", "download", "local", ...from, "--to", to);
      assert.equal(exitCode, isRight ? 0 : 1, stderr);
      if (isRight) assert.equal(sum(await fs.readFile(dump)), sum(whole));
      else assert.match(stderr, /is not what its manifest says, and was removed here/);
    }
    const jobs = await site.list("jobs");
    assert.ok(!jobs.some(({ metadata }) => metadata!.name!.includes("-download-")));
    const unknown = ["--from", "2020-01-01T030000Z"];
    const { exitCode, stderr } = await fleet(
      ...["backups", "download", "local", ...unknown, "--to", to],
    );
    assert.equal(exitCode, 2, stderr);
    assert.match(stderr, new RegExp(`found 2020-01-01T030000Z; allowed: .*${name}`));
  });

  it("removes the older of two from the volume, once that was told twice", async () => {
    const older = (await bench.json("backups", "local")).backups.at(-1).name;
    const { exitCode, stdout } = await fleet("backup", "local");
    assert.equal(exitCode, 0, stdout);
    const told = ["--yes", "--confirm", HOST];
    const removed = await fleet("backups", "delete", "local", older, ...told);
    assert.equal(removed.exitCode, 0, removed.stderr);
    const list = await bench.json("backups", "local");
    const names = list.backups.map(({ name }: { name: string }) => name);
    assert.ok(names.length > 0 && !names.includes(older), names.join());
    assert.equal(list.nightsLeft, null);
    // The volume is the nightly backup's as before.
    const next = await fleet("backups", "delete", "local", names.at(-1)!, ...told);
    assert.equal(next.exitCode, 2);
    assert.match(next.stderr, /is the newest proven backup/);
  });

  it("finds nothing wrong with the site", async () => {
    const { exitCode, stdout } = await fleet("status", "local", address());
    assert.equal(exitCode, 0, stdout);
    assert.match(stdout, /^local +well /m);
    // The kubelet measures what is mounted now and then; of its own volume the backup has said it.
    await eventually("each claim is measured", async () => {
      const { stacks } = await bench.json("status", "local", address(), "--no-drift");
      const claims = stacks[0].claims as { used?: number }[];
      return claims.length === 3 && claims.every(({ used = 0 }) => used > 0 && used < 1);
    });
  });

  it("finds that the database does not know the Secret's password", async () => {
    const { "mariadb-password": own } = await site.secret("matomo-mariadb");
    const body = JSON.stringify({ stringData: { "mariadb-password": "set-by-hand" } });
    await site.kubectl("patch", "secret", "matomo-mariadb", "-n", "matomo", "-p", body);
    const { exitCode, stdout } = await fleet("status", "local", address(), "--no-drift");
    await site.pulumi(["up", "--yes", "--skip-preview", "--refresh", "--run-program"]);
    assert.equal((await site.secret("matomo-mariadb"))["mariadb-password"], own);
    // The kubelet may have brought the wrong one into the pod meanwhile; a new pod has the right one.
    await site.kubectl("delete", "pod", "-n", "matomo", "matomo-mariadb-0");
    const ready = ["--for=condition=Ready", within("podReady"), "-n", "matomo"];
    await site.kubectl("wait", "pod/matomo-mariadb-0", ...ready);
    // The Service leads to it a moment later.
    await eventually("Matomo reaches the database with the Secret's password", () =>
      site.api("SitesManager.getAllSitesId"),
    );
    assert.equal(exitCode, 1, stdout);
    assert.match(stdout, /refuses the mariadb-password of Secret matomo-mariadb.*Access denied/);
    assert.ok(!stdout.includes("set-by-hand"));
  });

  it("checks it end to end: a visit goes in, is archived, comes out and is removed", async () => {
    const before = await site.visits();
    // The hourly run is at work until the check has seen it.
    await site.makeJob("matomo-archive", "archive-at-work", (job) => {
      const atWork = "until [ -e /tmp/over ]; do sleep 0.2; done";
      job.spec.template.spec.containers[0].command = ["bash", "-c", atWork];
      // Else the check's own would take its place in the CronJob's history.
      delete job.metadata!.ownerReferences;
    });
    const works = async () => (await site.get("job", "archive-at-work")).status.ready === 1;
    await eventually("the hourly run is at work", works, "podReady");
    const looks = async () =>
      (await site.requests()).filter(
        ({ verb, objectRef }) => verb === "list" && objectRef?.resource === "jobs",
      ).length;
    const begun = await looks();
    const checking = fleet("check", "local", address());
    await eventually("it looks for a run at work", async () => (await looks()) > begun);
    const names = (await site.list("jobs")).map(({ metadata }) => metadata!.name!);
    assert.deepEqual(
      names.filter((name) => name.includes("-check-")),
      [],
      "it did not wait for the Job at work",
    );
    const over = ["exec", "-n", "matomo", "job/archive-at-work", "--", "touch", "/tmp/over"];
    await site.kubectl(...over);
    const checked = await checking;
    assert.equal(checked.exitCode, 0, checked.stdout + checked.stderr);
    const { status } = await site.get("job", "archive-at-work");
    assert.equal(status.succeeded, 1, "it did not wait for the Job at work");
    await site.kubectl("delete", "job", "-n", "matomo", "archive-at-work");
    assert.equal(await site.visits(), before);
  });

  it("restores it only after it was told twice, and then brings back all that the backup holds", async () => {
    await furnish(site);
    const backup = await fleet("backup", "local");
    assert.equal(backup.exitCode, 0, backup.stdout);
    const backedUp = await belongings(site);
    const kept = await site.pageViews();
    await spoil(site);
    assert.equal(await site.track("after-the-backup"), 200);
    const once = await fleet("restore", "local", "--from=newest", "--yes");
    assert.equal(once.exitCode, 2, once.stdout + once.stderr);
    assert.match(once.stderr, new RegExp(`--overwrite ${HOST}`));
    assert.equal(await site.pageViews(), kept + 1);
    const where = ["--yes", `--overwrite=${HOST}`];
    const none = await fleet("restore", "local", "--from=2020-01-31T030000Z", ...where);
    assert.equal(none.exitCode, 1, none.stdout + none.stderr);
    assert.match(
      none.stdout + none.stderr,
      /is no proven backup; there are: .*Nothing was touched\./,
    );
    await site.webReady();
    assert.equal(await site.track("after-a-refusal"), 200);
    const twice = await fleet("restore", "local", "--from=newest", ...where);
    assert.equal(twice.exitCode, 0, twice.stdout + twice.stderr);
    await site.webReady();
    await assertBroughtBack(site, backedUp);
    await takeAway(site);
    assert.equal(await site.track("after-the-restore"), 200);
    await site.expectUnchanged();
  });
});
