/**
 * The archive CronJob's own pod: visits in, numbers out, and a Job that fails whenever nothing was
 * archived (incidents 2, 3 and 4). The words of each false success are in scripts/archive.test.ts.
 */
import * as assert from "node:assert/strict";
import { isSoak } from "../soak";
import { eventually } from "../waits";
import { HOST, type Live, type NodeSite, sharedSite } from "./harness";

/** Distinct pages of one day; ten of them in a visit. */
const PAGES = isSoak ? 30_000 : 1_000;

describe("the archive job", () => {
  let site: NodeSite;

  before(async () => {
    site = await sharedSite();
  });

  /** Sets an environment variable of the Job's container. */
  const environment = (name: string, value: string) => (job: Live) => {
    const { env } = job.spec.template.spec.containers[0];
    const entry = env.find((variable: { name: string }) => variable.name === name);
    if (entry) entry.value = value;
    else env.push({ name, value });
  };

  it("makes the reports that the API then gives", async () => {
    for (const visitor of ["ada", "grace", "edsger"]) {
      assert.equal(await site.track(visitor), 200);
    }
    // A day may have begun meanwhile.
    const begun = "visit_last_action_time";
    const date = await site.query(`SELECT DATE(MAX(${begun})) FROM matomo_log_visit`);
    const { succeeded, log } = await site.runJob("matomo-archive", "archive-good");
    assert.ok(succeeded, log);
    const which = { idSite: "1", period: "day", date };
    const report = await site.api("VisitsSummary.get", which);
    const ofTheDay = `SELECT COUNT(*) FROM matomo_log_visit WHERE DATE(${begun}) = '${date}'`;
    assert.equal(Number(report.nb_visits), Number(await site.query(ofTheDay)));
  });

  it("leaves nothing for Matomo's own system check to complain of", async () => {
    const check = `php console diagnostics:run --no-ansi --all --matomo-domain=${HOST}`;
    const said = await site.shell("web", `cd /var/www/html && ${check}`);
    // There is no internet here: the domain has no address, and no GeoIP database is to be had.
    const ours = said.split("\n").filter((line) => !/resolve host|^Geolocation:/.test(line));
    assert.doesNotMatch(ours.join("\n"), /\b(WARNING|ERROR)\b/);
    assert.match(said, /File integrity: OK/);
  });

  it("mounts no claim, and its token is in no log", async () => {
    const job = await site.get("cronjob", "matomo-archive");
    const { volumes } = job.spec.jobTemplate.spec.template.spec;
    assert.ok(volumes.every((volume: Live) => !volume.persistentVolumeClaim));
    const token = (await site.secret("matomo"))["archive-token"];
    const logs = await site.kubectl("logs", "-n", "matomo", "job/archive-good");
    assert.ok(!logs.includes(token));
  });

  it("waits for a web pod that is restarting", async () => {
    await site.stopWeb();
    await site.makeJob("matomo-archive", "archive-waits");
    const runs = async () => (await site.get("job", "archive-waits")).status.ready === 1;
    await eventually("it runs", runs, "podReady");
    await site.kubectl("scale", "-n", "matomo", "deployment/matomo", "--replicas=1");
    const { succeeded, log } = await site.jobResult("archive-waits");
    assert.ok(succeeded, log);
    await site.webReady();
  });

  it("fails with a token that Matomo does not know", async () => {
    const { succeeded, log } = await site.runJob("matomo-archive", "archive-token", (job) => {
      const { spec } = job.spec.template;
      const [container] = spec.containers;
      container.command = [
        ...["bash", "-c"],
        // The same script with another file in place of the Secret's.
        "printf %032d 0 >/tmp/archive-token; sed 's,/run/secrets/matomo/,/tmp/,' " +
          "/opt/matomo/scripts/archive.sh >/tmp/archive.sh; exec bash /tmp/archive.sh",
      ];
    });
    assert.ok(!succeeded, log);
    assert.match(log, /ERROR: HTTP 401/);
  });

  it("fails when nobody listens", async () => {
    const refused = await site.runJob("matomo-archive", "archive-refused", (job) => {
      environment("MATOMO_URL", "http://matomo:8083")(job);
      environment("WAIT_SECONDS", "3")(job);
    });
    assert.ok(!refused.succeeded, refused.log);
    assert.match(refused.log, /ERROR: the site did not answer for 3 s/);
  });

  it(`archives ${PAGES} page views of a day, no two alike, within the web pod's memory`, async () => {
    const pages = Array.from({ length: PAGES }, (_, page) => {
      const visitor = String(Math.floor(page / 10)).padStart(8, "0");
      return `${visitor}-page-${page}`;
    });
    const left = pages.values();
    const reader = async () => {
      for (const page of left) assert.equal(await site.track(page), 200, page);
    };
    await Promise.all(Array.from({ length: 8 }, reader));
    const date = await site.query("SELECT DATE(MAX(visit_last_action_time)) FROM matomo_log_visit");
    // The last run may be too young for another one of the same day.
    const what = { idSites: "1", dates: date, period: "day", cascadeDown: "1" };
    await site.api("CoreAdminHome.invalidateArchivedReports", what);
    const wait = isSoak ? "largeJobEnds" : "jobEnds";
    await site.makeJob("matomo-archive", "archive-many");
    const { succeeded, log } = await site.jobResult("archive-many", wait);
    assert.ok(succeeded, log);
    const report = await site.api("Actions.get", { idSite: "1", period: "day", date });
    const ofTheDay = `SELECT COUNT(*) FROM matomo_log_link_visit_action WHERE DATE(server_time) = '${date}'`;
    assert.equal(Number(report.nb_pageviews), Number(await site.query(ofTheDay)));
    await site.memory("web");
    await site.assertNoneKilled("web");
  });
});
