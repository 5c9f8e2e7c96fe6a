/**
 * The archive job: visits in, numbers out; and each false success is a failure (incident 3, issue
 * "pods that really run"), shown with a server that says what Matomo or a broken setup would say.
 */
import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";
import { eventually, seconds } from "../../waits";
import { ARCHIVE_TOKEN, HOST, Site, WEB_USER } from "./site";
import { type Running } from "./sandbox";

const ARCHIVED = "INFO [x] Done archiving!\nINFO [x] done: 4 req, 12 ms, no error\n";
const TASKS = "INFO [x] Starting Scheduled tasks...\n";
const WORDS = `${ARCHIVED}${TASKS}INFO [x] done\n`;

/** A plugin with two scheduled tasks that fail, of which one is due: the one that the file `due` names. */
const DUE_PLUGIN = {
  "plugin.json": '{"name": "Due", "version": "1.0.0", "require": {"matomo": ">=5.0.0-b1"}}',
  "Due.php": `<?php
namespace Piwik\\Plugins\\Due;
class Due extends \\Piwik\\Plugin
{
    public function registerEvents()
    {
        return ['ScheduledTasks.shouldExecuteTask' => 'only'];
    }
    public function only(&$should, $task)
    {
        $should = $task->getName() === 'Piwik\\Plugins\\Due\\Tasks.' . file_get_contents(__DIR__ . '/due');
    }
}`,
  "Tasks.php": `<?php
namespace Piwik\\Plugins\\Due;
class Tasks extends \\Piwik\\Plugin\\Tasks
{
    public function schedule()
    {
        $this->hourly('throws');
        $this->hourly('exhausts');
    }
    public function throws()
    {
        throw new \\Exception("first line\nsecond line");
    }
    public function exhausts()
    {
        str_repeat('x', 1 << 40);
    }
}`,
};

/** Arguments and environment of every process of the machine. */
function processTexts(): string[] {
  const pids = fs.readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.flatMap((pid) =>
    ["cmdline", "environ"].map((file) => {
      try {
        return fs.readFileSync(`/proc/${pid}/${file}`, "latin1");
      } catch {
        return ""; // it ended meanwhile
      }
    }),
  );
}

describe("archive job", () => {
  const site = new Site();
  before(async () => {
    await site.start();
    await site.up();
  });
  after(() => site.dispose());

  /** What Matomo reports of the day of the newest visit. */
  async function visits(): Promise<number> {
    const newest = "SELECT DATE(MAX(visit_last_action_time)) FROM matomo_log_visit";
    const which = `idSite=1&period=day&date=${await site.value(newest)}`;
    const data = `module=API&method=VisitsSummary.get&${which}&format=json&token_auth=${ARCHIVE_TOKEN}`;
    const { body } = await site.http("POST", "http://matomo:8082/index.php", { data });
    return Number(JSON.parse(body).nb_visits ?? JSON.parse(body).value);
  }
  /** As if the last run had been long ago. */
  async function forget(): Promise<void> {
    const month = new Date().toISOString().slice(0, 7).replace("-", "_");
    const numeric = `matomo_archive_numeric_${month}`;
    await site.value(`UPDATE ${numeric} SET ts_archived = ts_archived - INTERVAL 1 DAY`);
  }

  it("makes reports of the visits that came in", async () => {
    for (const visitor of [1, 2]) {
      const id = visitor.toString(16).padStart(16, "a");
      const url = `http://matomo:8080/matomo.php?idsite=1&rec=1&_id=${id}&url=https%3A%2F%2F${HOST}`;
      // Addresses that differ: Matomo takes one browser at one address for one visitor.
      const headers = { "X-Forwarded-For": `203.${visitor}.113.7` };
      assert.equal((await site.http("GET", url, { headers })).status, 200);
    }
    const { status, output } = await site.archive();
    assert.equal(status, 0, output);
    assert.match(output, /done: 4 req, .*no error[^]*archive: done/);
    assert.ok(!output.includes(ARCHIVE_TOKEN));
    assert.equal(await visits(), 2);
  });

  it("succeeds again right after, when there is nothing to do", async () => {
    assert.equal((await site.archive()).status, 0);
  });

  it("waits for a web pod that is restarting", async () => {
    await site.stopWeb();
    // It asks a second time only after nobody answered.
    const asked = site.sandbox.volume("asked", WEB_USER);
    const shims = site.sandbox.shims({ curl: 'echo >>/asked/times; exec /usr/bin/curl "$@"' });
    const env = { WAIT_SECONDS: String(seconds("serverAnswers")), ...shims.env };
    const run = await site.spawnArchive(env, { ...shims.mounts, "/asked": asked });
    const times = path.join(asked, "times");
    const twice = () => fs.existsSync(times) && fs.statSync(times).size >= 2;
    await eventually("it has asked in vain", twice);
    await site.startWeb();
    const { status, output } = await run.finished;
    assert.equal(status, 0, output);
  });

  it("fails with a token that Matomo does not know, and names the way on", async () => {
    await site.value("UPDATE matomo_user_token_auth SET password = REVERSE(password)");
    const { status, output } = await site.archive();
    await site.value("UPDATE matomo_user_token_auth SET password = REVERSE(password)");
    assert.equal(status, 1);
    assert.match(output, /HTTP 401: Matomo refuses the archive token/);
  });

  it("fails when the database is gone, and when it is not there within its time", async () => {
    await site.stopDatabase();
    const { status, output } = await site.archive({ TIMEOUT_SECONDS: "20" });
    await site.startDatabase();
    assert.equal(status, 1, output);
  });

  it("fails when an archive has errors", async function () {
    await forget();
    // The look-alike fails a site of this name; the real one fails where a table is missing.
    await site.value("UPDATE matomo_site SET name = 'broken'");
    await site.value("RENAME TABLE matomo_log_link_visit_action TO hidden");
    const { status, output } = await site.archive();
    await site.value("RENAME TABLE hidden TO matomo_log_link_visit_action");
    await site.value("UPDATE matomo_site SET name = 'Website'");
    assert.equal(status, 1, output);
    assert.match(output, /errors\.|SUMMARY OF ERRORS/);
    assert.match(output, /archive: ERROR: Matomo archived with errors/);
  });

  describe("fails by a scheduled task", () => {
    const folder = () => site.path("state", "plugins/Due");
    const due = (task: string) => fs.writeFileSync(path.join(folder(), "due"), task);
    before(async () => {
      fs.mkdirSync(folder());
      for (const [file, text] of Object.entries(DUE_PLUGIN)) {
        fs.writeFileSync(path.join(folder(), file), text);
      }
      due("none");
      const { status, output } = await site.console("plugin:activate", "Due");
      assert.equal(status, 0, output);
    });
    after(async () => {
      await site.console("plugin:deactivate", "Due");
      fs.rmSync(folder(), { recursive: true });
    });
    const task = "Piwik\\\\Plugins\\\\Due\\\\Tasks\\.";

    it("that throws, and names it", async () => {
      due("throws");
      const { status, output } = await site.archive();
      assert.equal(status, 1, output);
      assert.match(
        output,
        /Done archiving![^]*no error[^]*Scheduler: Error first line\n {2}second line/,
      );
      assert.match(output, new RegExp(`archive: ERROR: .*tasks failed: ${task}throws;`));
    });
    it("that ends the request, and names it", async () => {
      due("exhausts");
      const { status, output } = await site.archive();
      assert.equal(status, 1, output);
      assert.match(output, /Done archiving![^]*no error[^]*Starting Scheduled tasks/);
      assert.match(output, new RegExp(`archive: ERROR: .*the last one: ${task}exhausts\\)`));
    });
    it("and by none that is well", async () => {
      due("none");
      const { status, output } = await site.archive();
      assert.equal(status, 0, output);
    });
  });

  describe("is not taken in by", () => {
    let server: Running | undefined;
    /**
     * Archives with what serves one answer to POST /index.php, and 200 to the tracker, on port 9000;
     * waits for its end for so many seconds.
     */
    async function answering(
      answer: string,
      limit = seconds("requestAnswered"),
    ): Promise<ReturnType<Site["archive"]>> {
      const script = `
        const http = require("node:http");
        http.createServer((req, res) => {
          if (req.url === "/matomo.php") return res.end("here");
          if (req.url !== "/index.php" || req.method !== "POST") return res.writeHead(404).end();
          ${answer}
        }).listen(9000, "127.0.0.1", () => console.log("ready"));`;
      server = await site.sandbox.spawn({
        user: 65534,
        mounts: {},
        command: [process.execPath, "-e", script],
      });
      await new Promise((resolve) => server!.stdout!.once("data", resolve));
      const wait = String(seconds("serverAnswers"));
      const limits = { WAIT_SECONDS: wait, TIMEOUT_SECONDS: String(limit) };
      const env = { MATOMO_URL: "http://matomo:9000", ...limits };
      try {
        return await site.archive(env);
      } finally {
        server.kill("SIGKILL");
        await server.finished;
      }
    }
    const words = JSON.stringify(WORDS);
    const cases: [string, string, RegExp, number?][] = [
      [
        "a help text with HTTP 200",
        `res.end("<b>You must specify the Super User token_auth</b>");`,
        /did not say 'Done archiving!'/,
      ],
      [
        "the answer to token= instead of token_auth=",
        `res.end("Error: The method 'runCronArchiving' does not exist or is not available");`,
        /did not say 'Done archiving!'/,
      ],
      [
        "a redirect, even with the right words",
        `res.writeHead(302, { Location: "https://x.test/" }).end(${words});`,
        /redirected \(https:\/\/x\.test\/\)/,
      ],
      ["an empty answer", `res.end();`, /did not say 'Done archiving!'/],
      [
        "an end that is missing",
        `res.end("INFO [x] Done archiving!\\n");`,
        /did not say 'no error'/,
      ],
      [
        "errors after the right words",
        `res.end(${words} + "done: 4 req, 9 ms, 2 errors.\\nSUMMARY OF ERRORS\\n");`,
        /archived with errors/,
      ],
      [
        "scheduled tasks that never begin",
        `res.end(${JSON.stringify(ARCHIVED)});`,
        /scheduled tasks did not come to their end \(the last one: none began\)/,
      ],
      [
        "scheduled tasks that do not come to their end",
        `res.end(${JSON.stringify(`${ARCHIVED}${TASKS}INFO [x] Scheduler: executing task A.b...\n`)});`,
        /scheduled tasks did not come to their end \(the last one: A\.b\)/,
      ],
      [
        "a scheduled task that failed",
        `res.end(${JSON.stringify(
          `${ARCHIVED}${TASKS}INFO [x] Scheduler: executing task A.b...\n` +
            "ERROR [x] Scheduler: Error no disk for task 'A.b'\nINFO [x] done\n",
        )});`,
        /scheduled tasks failed: A\.b;/,
      ],
      [
        "an answer that breaks off",
        `res.writeHead(200, { "Content-Length": "9999" }); res.write(${words}); setTimeout(() => res.destroy(), 100);`,
        /curl ended with status 18/,
      ],
      ["an answer that never ends", `res.write(${words});`, /no end within 3 s/, 3],
      ["HTTP 500 with the right words", `res.writeHead(500).end(${words});`, /HTTP 500/],
      ["HTTP 401", `res.writeHead(401).end("no");`, /refuses the archive token/],
    ];
    for (const [what, answer, message, limit] of cases) {
      it(what, async () => {
        const { status, output } = await answering(answer, limit);
        assert.equal(status, 1, output);
        assert.match(output, message);
        assert.equal(output.match(/archive: ERROR/g)?.length, 1, output);
      });
    }
    it("and takes the real words", async () => {
      assert.equal((await answering(`res.end(${words});`)).status, 0);
    });
    it("and masks the token where the server repeats it", async () => {
      const { output } = await answering(
        `let b = ""; req.on("data", (d) => (b += d)).on("end", () => res.end(b + "\\n" + ${words}));`,
      );
      assert.match(output, /token_auth=\*\*\*/);
      assert.ok(!output.includes(ARCHIVE_TOKEN));
    });
    it("a refused connection", async () => {
      const env = { MATOMO_URL: "http://matomo:9001", WAIT_SECONDS: "2" };
      const { status, output } = await site.archive(env);
      assert.equal(status, 1);
      assert.match(output, /did not answer for 2 s \(last: .*onnect.*refused|Failed to connect/);
    });
  });

  it("keeps the token out of argv and the environment of every process", async () => {
    const hold = `
      require("node:http").createServer((req, res) => {
        if (req.url === "/matomo.php") return res.end("here");
        console.log("asked");
        process.once("SIGUSR2", () => res.end(${JSON.stringify(WORDS)}));
      }).listen(9000, "127.0.0.1", () => console.log("ready"));`;
    const server = await site.sandbox.spawn({
      user: 65534,
      mounts: {},
      command: [process.execPath, "-e", hold],
    });
    await new Promise((resolve) => server.stdout!.once("data", resolve));
    const run = site.archive({ MATOMO_URL: "http://matomo:9000" });
    await eventually("the request", () => server.output().includes("asked"));
    const seen = processTexts();
    server.kill("SIGUSR2");
    assert.equal((await run).status, 0);
    server.kill("SIGKILL");
    for (const name of ["archive.sh", "curl"]) assert.ok(seen.some((text) => text.includes(name)));
    assert.deepEqual(
      seen.filter((text) => text.includes(ARCHIVE_TOKEN)),
      [],
    );
  });
});
