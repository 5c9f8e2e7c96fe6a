/**
 * The drill: a cluster is lost with all that it had, the stack's state too, and one command brings the site
 * back onto a new one from off-site alone. `npm run drill` is this file.
 */
import * as assert from "node:assert/strict";
import * as path from "node:path";
import { openSite } from "../../local/node/site";
import { benchOf, type FleetBench } from "../fleet/bench";
import { stateOffsite } from "../offsite";
import { Bucket } from "./bucket";
import { assertBroughtBack, belongings, furnish } from "./furniture";
import { emptyNode, type NodeSite } from "./harness";
import { KEY } from "./scripts/offsite";

describe("a site whose cluster is lost", () => {
  const bucket = new Bucket();
  let site: NodeSite;
  let bench: FleetBench;
  /** What the command printed, but for the credentials. */
  const said: string[] = [];

  before(() => bucket.make());
  after(async () => {
    await site?.close();
    await bucket.remove();
  });

  /** A cluster with nothing on it, and a stack that says where the backups are. */
  async function anew(more: Record<string, string> = {}): Promise<void> {
    site = await emptyNode();
    await bucket.serve(site);
    await stateOffsite(site, { ...bucket.settings(), ...more });
    bench = await benchOf(site);
  }
  async function fleet(...words: string[]): Promise<string> {
    const { exitCode, stdout, stderr } = await bench.run(...words);
    said.push(stdout, stderr);
    assert.equal(exitCode, 0, stdout + stderr);
    return stdout + stderr;
  }

  it("is back on another one, by one command, from off-site alone", async () => {
    await anew();
    await fleet("up", "local", "--yes");
    site.url = await openSite(site.cluster);
    await furnish(site);
    for (const visitor of ["one", "two"]) assert.equal(await site.track(visitor), 200);
    await fleet("backup", "local");
    const { backups, offsite } = await bench.json("backups", "local");
    assert.deepEqual(
      offsite.backups.map(({ name }: { name: string }) => name),
      backups.map(({ name }: { name: string }) => name),
    );
    assert.match(await fleet("backups", "local"), /^2\S+Z .* both .*, read back from off-site$/m);
    const to = path.join(site.folder, "downloads");
    assert.match(
      await fleet("backups", "download", "local", "--from", "offsite", "--to", to),
      new RegExp(`${backups.at(-1).name} is in ${to}.*, as its manifest says`),
    );
    const { offsite: place } = await bench.json("credentials", "local", "--show");
    const backedUp = await belongings(site);

    await bucket.stop();
    await site.close();
    const lost = Date.now();
    await anew({ repositoryPassword: place.password });
    const ready = Date.now();
    await fleet("restore", "local", "--from", "offsite", "--yes");
    site.url = await openSite(site.cluster);
    await site.webReady();
    const seconds = (from: number) => Math.round((Date.now() - from) / 1000);
    const [all, restored] = [seconds(lost), seconds(ready)];
    console.log(
      `      the drill took ${all} s: ${all - restored} to a new cluster, ${restored} to the site`,
    );

    await assertBroughtBack(site, backedUp);
    assert.equal(await site.track("back-again"), 200);
    await site.expectUnchanged();
    for (const secret of [place.password, KEY.secretAccessKey]) {
      assert.ok(!said.join("").includes(secret));
    }
  });
});
