/**
 * From nothing to a recorded visit with no human step; started again and killed in the middle,
 * nothing doubled, nothing broken (decision 3, incidents 9 and 12).
 */
import * as assert from "node:assert/strict";
import { drawn } from "../soak";
import { eventually, seconds } from "../waits";
import { firstVisitSeconds, type NodeSite, sharedSite } from "./harness";

/** What an install makes once. */
const CENSUS = `SELECT
  (SELECT COUNT(*) FROM matomo_site), (SELECT COUNT(*) FROM matomo_user),
  (SELECT COUNT(*) FROM matomo_user_token_auth WHERE login <> 'anonymous'), (SELECT COUNT(*) FROM matomo_log_visit),
  (SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE()
    AND table_name NOT LIKE 'matomo\\_archive\\_%')`;

describe("a site on a real node", () => {
  let site: NodeSite;

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

  it("records a visit after its second start and its third, and knows which version it is", async () => {
    const { value } = await site.api("API.getMatomoVersion");
    for (const start of ["2nd-start", "3rd-start"]) {
      await site.restartWeb();
      assert.equal(await site.track(start), 200);
      assert.deepEqual(await site.lost([start]), []);
      assert.equal(await site.shell("web", "cat /state/.matomo/version"), value);
    }
    assert.match(value, /^\d+\.\d+\.\d+/);
  });

  it("finishes the step that runs when its pod is to end, and begins no other", async () => {
    const processes = (info: string) =>
      site.query(`SELECT id FROM information_schema.processlist WHERE info LIKE '${info}%'`);
    // Each start drops the tokens that its own replaced: here it has to wait for the table, as an
    // update does that changes it.
    const holder = site
      .query("LOCK TABLES matomo_user_token_auth READ; SELECT SLEEP(600)")
      .catch(() => "killed");
    await eventually("the table is held", () => processes("SELECT SLEEP"));
    await site.kubectl("delete", "pod", "-n", "matomo", (await site.pod("web")).metadata!.name!);
    const next = await eventually("the next pod", () => site.pod("web"));
    const name = next.metadata!.name!;
    const step = () => processes("DELETE FROM matomo_user_token_auth");
    await eventually("the step", step, "podReady");
    const log = site.kubectl("logs", "-n", "matomo", "-f", name);
    await site.kubectl("delete", "pod", "-n", "matomo", name, "--wait=false");
    await eventually("it knows", () =>
      site.kubectl("exec", "-n", "matomo", name, "--", "ls", "/tmp/stopping"),
    );
    assert.notEqual(await processes("DELETE FROM matomo_user_token_auth"), "");
    await site.query(`KILL QUERY ${await processes("SELECT SLEEP")}`);
    await holder;
    const said = await log;
    assert.match(said, /install: Matomo \S+ is ready/);
    assert.doesNotMatch(said, /apache|AH0/i);
    await site.webReady();
  });

  it("ends whole when its install is killed at any of ten points", async () => {
    const before = (await site.query(CENSUS)).split("\t");
    // An empty database and an empty volume, as before the first start.
    await site.stopWeb();
    await site.query("DROP DATABASE matomo; CREATE DATABASE matomo");
    // From an install's first moment on, by tenths of the tables that it makes; a few of them, drawn, in the
    // short form. It is known by its argument; layout.sh asks PHP something before.
    const tables = Number(before[4]);
    const tenths = Array.from({ length: 10 }, (_, kill) => Math.floor((tables * kill) / 9));
    const points = drawn(tenths, 3);
    const killer = site.onNode(
      ...["sh", "-c"],
      [
        `end=$(($(date +%s) + ${seconds("jobEnds")})); rm -f /tmp/kills; touch /tmp/kills`,
        "pause() { [ $(date +%s) -lt $end ] || { echo no install to kill >&2; exit 1; }; sleep 0.02; }",
        "made() { ls /var/lib/kubelet/pods/*/volumes/kubernetes.io~csi/*/mount/matomo/*.frm 2>/dev/null | wc -l; }",
        `for point in ${points.join(" ")}; do`,
        "  found=''; until [ \"$found\" ]; do pause",
        "    found=$(grep -lzx '/opt/matomo/scripts/install[.]php' /proc/[0-9]*/cmdline 2>/dev/null | head -n 1)",
        "  done",
        "  pid=${found#/proc/}; pid=${pid%/cmdline}",
        "  while [ -e /proc/$pid ] && [ $(made) -lt $point ]; do pause; done",
        "  kill -KILL $pid && echo killed at $(made) >>/tmp/kills || echo over >>/tmp/kills",
        "  while [ -e /proc/$pid ]; do pause; done",
        "done",
      ].join("\n"),
    );
    // Its end is awaited once there is nothing more to kill.
    killer.catch(() => undefined);
    await site.kubectl("scale", "-n", "matomo", "deployment/matomo", "--replicas=1");
    const kills = async () =>
      (await site.onNode("sh", "-c", "cat /tmp/kills 2>/dev/null || true"))
        .split("\n")
        .filter((line) => line !== "");
    for (let ended: string[] = []; ended.length < points.length;) {
      // A new pod each time: kubelet would wait ever longer before it starts the same one again.
      const next = async () => {
        const [now, pod] = [await kills(), await site.pod("web")];
        const ready = pod.status.containerStatuses?.[0]?.ready as boolean | undefined;
        return (now.length > ended.length || ready) && { now, pod };
      };
      const title = "a kill, or an install that came to its end";
      const { now, pod } = await eventually(title, next, "podReady");
      ended = now;
      const name = pod.metadata!.name!;
      await site.kubectl("delete", "pod", "-n", "matomo", name, "--grace-period=0", "--force");
    }
    await killer;
    const ended = await kills();
    console.log(`      ${ended.join(", ")}`);
    assert.ok(
      ended.filter((how) => /^killed/.test(how)).length >= points.length / 2,
      "it was killed too seldom",
    );
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
