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
import { assertFurnished, furnish, tables } from "./furniture";
import { emptyNode, type NodeSite } from "./harness";
import { KEY } from "./scripts/offsite";

/** Tables in which a new cluster's web pod writes at its start: what it leaves alone in them. */
const KEPT_ROWS = {
  user: "SELECT login, password, email, superuser_access, date_registered FROM matomo_user",
  // The archive's is the new stack's own.
  user_token_auth:
    "SELECT login, description, password, date_created FROM matomo_user_token_auth " +
    "WHERE description <> 'Archive job of the cluster'",
  option: "SELECT option_name, option_value FROM matomo_option",
};

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
  async function keptRows(): Promise<Record<string, string[]>> {
    const read = async ([table, select]: [string, string]) => [
      table,
      (await site.query(select)).split("\n"),
    ];
    return Object.fromEntries(await Promise.all(Object.entries(KEPT_ROWS).map(read)));
  }

  it("is back on another one, by one command, from off-site alone", async () => {
    await anew();
    await fleet("up", "local", "--yes");
    site.url = await openSite(site.cluster);
    await furnish(site);
    await site.query(ADD_GOAL);
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
    const [checksums, kept] = [await tables(site), await keptRows()];

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

    assert.equal(await tables(site), checksums);
    const now = await keptRows();
    for (const [table, before_] of Object.entries(kept)) {
      assert.deepEqual(
        before_.filter((row) => !now[table].includes(row)),
        [],
        table,
      );
    }
    await assertFurnished(site);
    assert.equal(await site.track("back-again"), 200);
    await site.expectUnchanged();
    for (const secret of [place.password, KEY.secretAccessKey]) {
      assert.ok(!said.join("").includes(secret));
    }
  });
});

/** As Matomo's own table, which the look-alike has not. */
const ADD_GOAL = `
  CREATE TABLE IF NOT EXISTS matomo_goal (
    idsite INT, idgoal INT, name VARCHAR(50) NOT NULL, match_attribute VARCHAR(20) NOT NULL,
    pattern VARCHAR(255) NOT NULL, pattern_type VARCHAR(25) NOT NULL, case_sensitive TINYINT NOT NULL,
    allow_multiple TINYINT NOT NULL, revenue DOUBLE NOT NULL, PRIMARY KEY (idsite, idgoal));
  INSERT INTO matomo_goal (idsite, idgoal, name, match_attribute, pattern, pattern_type, case_sensitive,
    allow_multiple, revenue) VALUES (1, 1, 'ordered', 'url', '/thanks', 'contains', 0, 0, 7)`;
