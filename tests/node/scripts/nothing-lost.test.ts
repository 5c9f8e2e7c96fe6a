/**
 * What was answered 200 is in the database: tracker requests at a steady rate while the database
 * is killed and the web pod is rolled. The gap of a planned rollout is measured and printed.
 */
import assert from "node:assert/strict";
import { eventually, milliseconds } from "../../waits";
import { HOST, REAL, Site } from "./site";
import { type Running } from "./sandbox";

/** Sends a request every 50 ms until its standard output closes; prints `id status time`. */
const CLIENT = `
const http = require("node:http");
let id = 0;
setInterval(() => {
  const own = "req-" + ++id;
  const url = encodeURIComponent("https://${HOST}/" + own);
  const options = { port: 8080, timeout: ${milliseconds("requestAnswered")}, headers: {
    Host: "${HOST}", "X-Forwarded-Proto": "https", "X-Forwarded-For": "203." + (id % 200) + ".1.1" } };
  const path = "/matomo.php?idsite=1&rec=1&send_image=0&url=" + url;
  const request = http.get({ ...options, path }, (answer) => {
    answer.resume();
    answer.on("end", () => console.log(own, answer.statusCode, Date.now()));
  });
  request.on("timeout", () => request.destroy());
  request.on("error", () => console.log(own, 0, Date.now()));
}, 50);`;

describe("nothing is lost", () => {
  const site = new Site();
  let client: Running;
  before(async () => {
    await site.start();
    await site.up();
    client = await site.sandbox.spawn({
      user: 65534,
      mounts: {},
      command: [process.execPath, "-e", CLIENT],
    });
    await answered(20);
  });
  after(() => site.dispose());

  const answers = () =>
    client
      .output()
      .split("\n")
      .filter((line) => /^req-\d+ \d+ \d+$/.test(line))
      .map((line) => line.split(" "));
  const accepted = () => answers().filter(([, status]) => status === "200" || status === "204");
  /** Awaits that so many more requests are accepted. */
  async function answered(more: number): Promise<void> {
    const enough = accepted().length + more;
    await eventually(`${more} answers`, () => accepted().length >= enough, "serverAnswers");
  }
  async function recorded(): Promise<Set<string>> {
    const [table, column] = REAL ? ["log_action", "name"] : ["log_link_visit_action", "url"];
    const rows = await site.value(
      `SELECT SUBSTRING_INDEX(${column}, '/', -1) FROM matomo_${table} WHERE ${column} LIKE '%/req-%'`,
    );
    return new Set(rows.split("\n"));
  }
  async function allRecorded(): Promise<void> {
    const taken = accepted().map(([id]) => id);
    const there = await recorded();
    assert.deepEqual(
      taken.filter((id) => !there.has(id)),
      [],
    );
  }

  it("while the database is killed and comes back", async () => {
    for (let kill = 0; kill < 2; kill++) {
      await site.stopDatabase("SIGKILL");
      await site.startDatabase();
      await answered(20);
    }
    await allRecorded();
  });

  it("while the web pod is rolled; the gap is the time until the new pod answers", async () => {
    await site.stopWeb();
    for (const step of [await site.layout(), await site.install()]) {
      assert.equal(step.status, 0, step.output);
    }
    await site.startWeb();
    await answered(20);
    const times = accepted().map(([, , time]) => Number(time));
    const gaps = times.slice(1).map((time, i) => time - times[i]);
    console.log(`      gap at the rollout: ${(Math.max(...gaps.slice(-200)) / 1000).toFixed(1)} s`);
    await allRecorded();
  });

  it("while the web pod's processes are killed", async () => {
    await site.killAll("apache2", "cmdline");
    await site.web!.finished;
    await site.startWeb();
    await answered(20);
    await allRecorded();
  });
});
