/**
 * `repair-volume` with `storage.mode: volumes`: the Volume that is lost is a resource of the stack, and
 * its successor has the same name.
 */
import assert from "node:assert/strict";
import { daemonPid } from "../../local/daemons";
import { patience, within } from "../waits";
import { type FleetBench, openBench } from "./bench";
import { LogServer } from "./log-server";
import { Volumes, withoutAnswer } from "./volumes";
import { WaitingCronJob } from "./waiting-cron-job";

const OWN = { "matomo:storage": { mode: "volumes" } };
const HOST = "matomo.personal.example.com";
const BACKUP = "2026-11-20T030000Z";
const volumeOf = (claim: string) => `matomo-personal-${claim}`;

describe("fleet repair-volume with Volumes of the stack's own", () => {
  let bench: FleetBench;
  let volumes: Volumes;

  before(async () => {
    bench = await openBench("personal", OWN);
    volumes = new Volumes(bench.site);
    await bench.site.up();
  });
  after(() => bench?.site.close());
  const repair = (...more: string[]) => bench.run("repair-volume", "personal", ...more);
  /** What the state has, by name and the provider's id. */
  async function resources(): Promise<string[]> {
    const { resources } = JSON.parse(await bench.site.state()).deployment;
    return resources.map(({ urn, id }: Record<string, string>) => `${urn} ${id}`);
  }

  /** Looks at the backup's volume. */
  async function look(...more: string[]): Promise<string> {
    const { stdout, stderr, exitCode } = await repair("backup", ...more);
    assert.notEqual(exitCode, 0);
    return `${stdout}\n${stderr}\n`;
  }

  it("says nothing of a Volume while DigitalOcean does not answer, and waits for it as long as it is told", async () => {
    const api = await withoutAnswer("/v2/volumes", bench.site.cluster.cloudUrl);
    try {
      const env = { DIGITALOCEAN_API_URL: api.url };
      // The cluster has to answer within it.
      const wait = String(Math.ceil(15 * patience));
      const args = ["repair-volume", "personal", "backup", "--wait", wait];
      const { stdout, exitCode } = await bench.runWith({ env }, ...args);
      assert.notEqual(exitCode, 0);
      assert.match(
        `${stdout}\n`,
        /^matomo-backup UNCLEAR\n.*did not say whether it has Volume \S+: no answer in \d+ s\n.*\(--wait\)/s,
      );
    } finally {
      api.close();
    }
  });

  it("says nothing of a Volume while the cluster does not answer, and waits as long as it is told", async () => {
    const pid = daemonPid(bench.site.cluster.folder, "kube-apiserver")!;
    process.kill(pid, "SIGSTOP");
    try {
      assert.match(
        await look("--wait", "1"),
        /fleet: no answer in 1 s: what the cluster says of the volumes\. That is slow, and no finding: nothing was touched\. .*--wait 10\n/,
      );
    } finally {
      process.kill(pid, "SIGCONT");
    }
  });

  it("finds one that is gone while nobody uses it", async () => {
    await volumes.lose("matomo-backup");
    const said = new RegExp(`DigitalOcean has no Volume ${volumeOf("matomo-backup")}`);
    const text = await look();
    assert.match(text, /^matomo-backup LOST\n/);
    assert.match(text, said);
  });

  it("touches nothing while an up would do more than make it anew", async () => {
    const [before_, claim] = [await resources(), await volumes.claim("matomo-backup")];
    await bench.settings({ "matomo:edge": { issuer: "production" } });
    const { exitCode, stderr } = await repair("backup", "--yes");
    await bench.settings();
    assert.equal(exitCode, 2, stderr);
    assert.match(stderr, /would do more than that \(.*Issuer.*Nothing was touched/);
    assert.deepEqual(await resources(), before_);
    const { resourceVersion } = (await volumes.claim("matomo-backup")).metadata!;
    assert.equal(resourceVersion, claim.metadata!.resourceVersion);
  });

  it("makes it anew, though a refresh has seen that it is gone", async () => {
    const before_ = await volumes.ofCloud();
    const known = await resources();
    await bench.site.pulumi(["refresh", "--yes", "--skip-preview"]);
    assert.equal((await resources()).length, known.length - 1);
    const { exitCode, stderr } = await repair("backup", "--yes");
    assert.equal(exitCode, 0, stderr);
    assert.equal((await resources()).length, known.length);
    const after_ = await volumes.ofCloud();
    assert.equal(after_.size, 3);
    for (const [name, { id }] of before_) assert.equal(after_.get(name)!.id, id);
    await volumes.assertEachOnce();
  });

  it("brings both halves of the data back into new ones", async () => {
    const passwords = await bench.site.passwords();
    const waiting = new WaitingCronJob(bench.site, "matomo-backup");
    const logs = new LogServer();
    try {
      await waiting.start();
      await logs.start(bench.site);
      const workloads = ["deployment/matomo", "statefulset/matomo-mariadb"];
      await bench.site.kubectl("scale", ...workloads, "--replicas=0", "-n", "matomo");
      const gone = ["--for=delete", "pod", "-l", "app.kubernetes.io/component in (web, mariadb)"];
      await bench.site.kubectl("wait", ...gone, "-n", "matomo", within("podGone"));
      const lost = [await volumes.lose("matomo"), await volumes.lose("data-matomo-mariadb-0")];
      logs.list(BACKUP);
      const options = ["--yes", "--overwrite", HOST];
      const running = bench.start({}, "repair-volume", "personal", "data", ...options);
      await waiting.kubelet.finish(await waiting.podOf(running), "Succeeded");
      await waiting.kubelet.finish(await waiting.podOf(running), "Succeeded");
      const { exitCode, stderr } = await running;
      assert.equal(exitCode, 0, String(stderr));
      for (const { id } of (await volumes.ofCloud()).values()) assert.ok(!lost.includes(id));
      await volumes.assertEachOnce();
      assert.deepEqual(await bench.site.passwords(), passwords);
      assert.equal(await bench.readyPods("web"), 1);
    } finally {
      logs.stop();
      await waiting.stop();
    }
  });

  it("leaves nothing that the next up would trip over", async () => {
    await bench.site.expectUnchanged();
  });

  it("are left when the namespace is deleted, and come back with the site by what a restore says", async () => {
    const idOf = async () =>
      Object.fromEntries([...(await volumes.ofCloud())].map(([name, { id }]) => [name, id]));
    const [passwords, ids] = [await bench.site.passwords(), await idOf()];
    await bench.site.kubectl("delete", "namespace", "matomo", within("podGone"));
    const { exitCode, stderr } = await bench.run(
      "restore",
      "personal",
      "--from",
      "newest",
      "--yes",
    );
    assert.equal(exitCode, 2, stderr);
    assert.match(stderr, /the volumes of personal are still there, with its data: /);
    const [, names, patch] = /^kubectl patch pv (.+) -p '(\{.+\})'$/m.exec(stderr) ?? [];
    const [, up] = /^pulumi up --stack personal (.+)$/m.exec(stderr) ?? [];
    assert.ok(names && up, stderr);
    await bench.site.kubectl("patch", "pv", ...names.split(" "), "-p", patch);
    await bench.site.pulumi(["up", "--yes", "--skip-preview", ...up.split(" ")]);
    assert.deepEqual(await idOf(), ids);
    await volumes.assertEachOnce();
    assert.deepEqual(await bench.site.passwords(), passwords);
    assert.equal(await bench.readyPods("web"), 1);
    await bench.site.expectUnchanged();
  });
});
