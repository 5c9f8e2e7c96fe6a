/**
 * From nothing to a recorded visit with no human step; started again and killed in the middle,
 * nothing doubled, nothing broken (decision 3, incidents 9 and 12).
 */
import * as assert from "node:assert/strict";
import { firstVisitSeconds, needsNode, type NodeSite, sharedSite, until } from "./harness";

/** What an install makes once. */
const CENSUS = `SELECT
  (SELECT COUNT(*) FROM matomo_site), (SELECT COUNT(*) FROM matomo_user),
  (SELECT COUNT(*) FROM matomo_user_token_auth WHERE login <> 'anonymous'), (SELECT COUNT(*) FROM matomo_log_visit),
  (SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE()
    AND table_name NOT LIKE 'matomo\\_archive\\_%')`;

describe("a site on a real node", () => {
  let site: NodeSite;

  before(needsNode);
  before(async () => {
    site = await sharedSite();
  });

  it("goes from nothing to a recorded visit with no human step", async () => {
    console.log(
      `      first recorded visit ${firstVisitSeconds.toFixed(1)} s after pulumi up began`,
    );
    const [sites, , tokens] = (await site.query(CENSUS)).split("\t");
    assert.deepEqual([sites, tokens], ["1", "1"]);
  });

  it("has nothing left to do", async () => {
    await site.expectUnchanged();
  });

  it("knows its own archive token", async () => {
    assert.deepEqual(await site.api("SitesManager.getAllSitesId"), [1]);
  });

  it("is the same after three starts", async () => {
    const before = await site.query(CENSUS);
    for (let start = 0; start < 3; start++) {
      await site.restartWeb();
    }
    assert.equal(await site.query(CENSUS), before);
    assert.equal(await site.track("first"), 200);
  });

  it("ends whole when its install is killed at ten points", async () => {
    const before = (await site.query(CENSUS)).split("\t");
    // An empty database and an empty volume, as before the first start.
    await site.kubectl("scale", "-n", "matomo", "deployment/matomo", "--replicas=0");
    await until("the web pod is gone", 60, async () =>
      (await site.list("pods")).every(
        ({ metadata }) =>
          !metadata!.name!.startsWith("matomo-") ||
          metadata!.labels!["app.kubernetes.io/component"] !== "web",
      ),
    );
    await site.query("DROP DATABASE matomo; CREATE DATABASE matomo");
    await site.kubectl("scale", "-n", "matomo", "deployment/matomo", "--replicas=1");
    const ended: string[] = [];
    for (let kill = 0; kill < 10; kill++) {
      // From its first moment on, each time later: the whole install takes a second or two.
      const script =
        `until pid=$(pidof -s php); do sleep 0.01; done; sleep ${(kill * 0.07).toFixed(2)}; ` +
        "kill -KILL $pid && echo killed || echo over";
      ended.push((await site.onNode("sh", "-c", script)).trim());
      // A new pod: kubelet would wait ever longer before it starts the same one again.
      const pod = (await site.pod("web")).metadata!.name!;
      await site.kubectl("delete", "pod", "-n", "matomo", pod, "--grace-period=0", "--force");
    }
    console.log(`      ${ended.join(" ")}`);
    await site.webReady();
    const after = (await site.query(CENSUS)).split("\t");
    assert.equal(
      await site.track("again"),
      200,
      await site.query("SELECT idsite FROM matomo_site"),
    );
    // All but the visits, which went with the database.
    assert.deepEqual([...after.slice(0, 3), after[4]], [...before.slice(0, 3), before[4]]);
    assert.equal(await site.visits(), 1);
    assert.deepEqual(await site.api("SitesManager.getAllSitesId"), [1]);
  });
});
