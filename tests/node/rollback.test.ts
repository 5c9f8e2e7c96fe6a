/**
 * An upgrade that came up, and back again: `fleet up` makes the backup before it, `fleet rollback` brings that
 * back with its version. MATOMO_NEXT names a folder with a real Matomo that is newer than MATOMO_DIST's.
 */
import * as assert from "node:assert/strict";
import { matomoFolder, matomoImage } from "../../local/node/images";
import { openSite } from "../../local/node/site";
import { benchOf, type FleetBench } from "../fleet/bench";
import { eventually } from "../waits";
import { assertBroughtBack, belongings, furnish, spoil } from "./furniture";
import { emptyNode, HOST, type NodeSite } from "./harness";
import { importMatomo, importRelease } from "./release";
import { statedVersion } from "./version";

const OLD = statedVersion(matomoFolder());
const { MATOMO_NEXT } = process.env;
const NEW = MATOMO_NEXT ? statedVersion(MATOMO_NEXT) : "5.97.0";

describe("an upgrade that is taken back", () => {
  let site: NodeSite;
  let bench: FleetBench;

  // Of its own: a backup that another file made lately would do for the upgrade, and a newer Matomo is left.
  before(async () => {
    site = await emptyNode();
    if (!matomoImage.includes(`:${OLD}-`)) await importMatomo(site, OLD);
    await site.up({ "matomo:matomo": { version: OLD } });
    site.url = await openSite(site.cluster);
    bench = await benchOf(site);
    if (MATOMO_NEXT) await importMatomo(site, NEW, MATOMO_NEXT);
    else await importRelease(site, NEW, "ALTER TABLE matomo_site ADD COLUMN taken_back INT");
  });

  after(() => site?.close());

  const ask = (version: string) => bench.settings({ "matomo:matomo": { version } });
  async function fleet(...words: string[]): Promise<string> {
    const { exitCode, stdout, stderr } = await bench.run(...words);
    assert.equal(exitCode, 0, stdout + stderr);
    return stdout + stderr;
  }
  const version = async () => (await site.api("API.getMatomoVersion")).value as string;
  /** Tables with their columns, and which updates they had: two versions may have the same tables. */
  const schema = () =>
    site.query(
      `SELECT table_name, column_name, column_type FROM information_schema.columns
        WHERE table_schema = DATABASE() AND table_name NOT LIKE '%\\_archive\\_%'
      UNION ALL SELECT 'version', option_name, option_value FROM matomo_option
        WHERE option_name LIKE 'version\\_%' ORDER BY 1, 2`,
    );

  it("has its version, its schema and every row of before, and what came in since in a backup", async () => {
    assert.equal(await version(), OLD);
    assert.equal(await site.track("before-the-upgrade"), 200);
    await furnish(site);
    const [backedUp, old] = [await belongings(site), await schema()];

    await ask(NEW);
    assert.match(await fleet("up", "local", "--yes"), /a proven backup first/);
    await site.webReady();
    assert.equal(await version(), NEW);
    assert.notEqual(await schema(), old);
    const since = ["since-1", "since-2"];
    for (const visitor of since) assert.equal(await site.track(visitor), 200);
    await spoil(site);

    await ask(OLD);
    const said = await fleet("rollback", "local", "--yes", "--overwrite", HOST);
    await site.webReady();
    const [, backup, exported] =
      /back to Matomo \S+ and to (\S+); what came in since, 2 actions of visitors, is in (\S+), a backup/.exec(
        said,
      ) ?? [];
    assert.ok(backup && exported, said);
    assert.equal(await version(), OLD);
    assert.equal(await schema(), old);
    await assertBroughtBack(site, backedUp);
    const views = await site.pageViews();
    assert.deepEqual(await site.lost(["before-the-upgrade"]), []);
    assert.deepEqual(await site.lost(since), since);
    const { backups } = await bench.json("backups", "local");
    const found = (name: string) => backups.find((one: { name: string }) => one.name === name);
    assert.deepEqual([found(backup).matomo, found(exported).matomo], [OLD, NEW]);
    // It records again, and the next up finds nothing to change.
    assert.equal(await site.track("after-the-rollback"), 200);
    await eventually("its visit", async () => (await site.pageViews()) === views + 1);
    const preview = await bench.json("preview", "local");
    assert.deepEqual(Object.keys(preview.stacks[0].counts), ["same"]);
  });
});
