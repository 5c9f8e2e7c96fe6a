/** What a site records of its visitors is what the stack's settings say, at each start. */
import assert from "node:assert/strict";
import * as fs from "node:fs";
import type { PrivacySettings } from "../../../components/settings-schema";
import { Site } from "./site";

/** Each visit has an address of its own: Matomo takes one browser at one address for one visitor. */
const NETWORK = "203.0.113";

describe("privacy", () => {
  const site = new Site();
  before(async () => {
    await site.start();
    await site.up();
  });
  after(() => site.dispose());

  /** The web pod starts anew with these settings; what its install container said. */
  async function restart(privacy: PrivacySettings): Promise<string> {
    site.configure({ privacy });
    await site.stopWeb();
    let said = "";
    for (const step of [() => site.layout(), () => site.install()]) {
      const { status, output } = await step();
      assert.equal(status, 0, output);
      said = output;
    }
    await site.startWeb();
    return said;
  }

  let visits = 0;
  /** Sends a visit of a new visitor; the row that is stored, if one is. */
  async function visit(headers: Record<string, string> = {}, from?: string) {
    const id = (++visits).toString(16).padStart(16, "0");
    const url = `http://matomo:8080/matomo.php?idsite=1&rec=1&_id=${id}&url=https%3A%2F%2Fexample.com%2F`;
    const known = await newest();
    const sent = { "X-Forwarded-For": from ?? `${NETWORK}.${visits}`, ...headers };
    assert.equal((await site.http("GET", url, { headers: sent })).status, 200);
    const [number, stored, visitor] = (
      await site.value(
        `SELECT idvisit, INET6_NTOA(location_ip), LOWER(HEX(idvisitor)) FROM matomo_log_visit
         ORDER BY idvisit DESC LIMIT 1`,
      )
    ).split("\t");
    return number === known ? undefined : { address: stored, byItsId: visitor === id };
  }
  const newest = () => site.value("SELECT MAX(idvisit) FROM matomo_log_visit");
  const option = (name: string) =>
    site.value(`SELECT option_value FROM matomo_option WHERE option_name = '${name}'`);
  const store = (name: string, value: string) =>
    site.value(
      `REPLACE INTO matomo_option (option_name, option_value) VALUES ('${name}', '${value}')`,
    );

  it("masks two bytes of an address when nothing is said, and the install says nothing", async () => {
    assert.match(await restart({ anonymizeIp: 2 }), /^install: Matomo \S+ is ready\s*$/);
    assert.equal((await visit())?.address, "203.0.0.0");
  });

  it("masks as many as the settings say, and of an IPv6 address its part", async () => {
    await restart({ anonymizeIp: 3 });
    assert.equal((await visit())?.address, "203.0.0.0");
    assert.equal((await visit({}, "2001:db8:aaaa:bbbb::7"))?.address, "2001:d00::");
  });

  it("lets a person mask more, and never less", async () => {
    await store("PrivacyManager.ipAddressMaskLength", "4");
    await restart({ anonymizeIp: 2 });
    assert.equal((await visit())?.address, "0.0.0.0");
    await store("PrivacyManager.ipAddressMaskLength", "1");
    await store("PrivacyManager.ipAnonymizerEnabled", "0");
    assert.match(
      await restart({ anonymizeIp: 2 }),
      /set ipAnonymizerEnabled of PrivacyManager to 1/,
    );
    assert.equal((await visit())?.address, "203.0.0.0");
  });

  it("stores the whole address only when the settings say 0", async () => {
    await restart({ anonymizeIp: 0 });
    assert.equal((await visit())?.address, `${NETWORK}.${visits}`);
  });

  it("masks again on a site whose plugin for it was switched off", async () => {
    const { status, output } = await site.console("plugin:deactivate", "PrivacyManager");
    assert.equal(status, 0, output);
    assert.match(await restart({ anonymizeIp: 2 }), /switched the plugin PrivacyManager on again/);
    assert.equal((await visit())?.address, "203.0.0.0");
  });

  it("heeds Do Not Track when told to, and leaves it to a person when not", async () => {
    assert.ok(await visit({ DNT: "1" }));
    await restart({ anonymizeIp: 2, doNotTrack: true });
    assert.equal(await visit({ DNT: "1" }), undefined);
    assert.ok(await visit());
    await restart({ anonymizeIp: 2 });
    assert.equal(await visit({ DNT: "1" }), undefined, "a person's choice in the UI stays");
    await restart({ anonymizeIp: 2, doNotTrack: false });
    assert.ok(await visit({ DNT: "1" }));
  });

  it("takes no visitor's identity from a cookie when tracking is cookieless", async () => {
    const tracker = () => fs.readFileSync(site.path("html", "matomo.js"), "utf8");
    const ordinary = tracker();
    assert.equal((await visit())?.byItsId, true);
    await restart({ anonymizeIp: 2, cookieless: true });
    assert.equal((await visit())?.byItsId, false);
    assert.notEqual(tracker(), ordinary, "browsers are told too");
    await restart({ anonymizeIp: 2, cookieless: false });
    assert.equal((await visit())?.byItsId, true);
  });

  it("deletes raw data after its days, and nothing younger", async () => {
    await visit();
    const young = await newest();
    await visit();
    const old = await newest();
    await site.value(
      `UPDATE matomo_log_visit SET visit_last_action_time = NOW() - INTERVAL 40 DAY WHERE idvisit = ${old}`,
    );
    const left = async () =>
      site.value(`SELECT idvisit FROM matomo_log_visit WHERE idvisit >= ${young} ORDER BY idvisit`);
    const tasks = async () => {
      // Matomo's first run only notes that there was one.
      for (let run = 0; run < 2; run++) {
        const { status, output } = await site.console(
          "core:run-scheduled-tasks",
          "--force",
          "Piwik\\Plugins\\PrivacyManager\\Tasks.deleteLogData",
        );
        assert.equal(status, 0, output);
      }
    };
    await tasks();
    assert.equal(await left(), `${young}\n${old}`, "without the setting nothing is deleted");
    assert.match(await restart({ anonymizeIp: 2, retentionDays: 30 }), /deleted after 30 days/);
    await tasks();
    assert.equal(await left(), young);
    assert.doesNotMatch(await restart({ anonymizeIp: 2, retentionDays: 30 }), /deleted after/);
    assert.equal(await option("delete_logs_schedule_lowest_interval"), "1");
  });
});
