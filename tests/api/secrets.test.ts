/**
 * Issue 6, 3.2: passwords and tokens are made at random, once. No refresh, changed label, renamed
 * website or newer version makes them anew (a killed `up`: interruptions.test.ts).
 */
import assert from "node:assert/strict";
import { before, describe, it } from "mocha";
import { sharedSite, type Site, uids } from "./harness";

describe("passwords and tokens", () => {
  let site: Site;
  let other: Site;
  let passwords: Record<string, string>;

  before(async () => {
    [site, other] = await Promise.all([sharedSite("yonks"), sharedSite("liberty")]);
    passwords = await site.passwords();
  });

  it("each is long, and none is another's, in this site or the next", async () => {
    const values = [...Object.values(passwords), ...Object.values(await other.passwords())];
    assert.equal(values.length, 10);
    assert.equal(new Set(values).size, 10);
    for (const [key, value] of Object.entries(passwords)) assert.equal(value.length, 32, key);
  });

  it("survive a second up, a refresh and labels that somebody changed", async () => {
    await site.kubectl("label", "secret", "matomo", "matomo-mariadb", "team=web", "-n", "matomo");
    await site.up();
    await site.pulumi(["refresh", "--yes", "--skip-preview"]);
    await site.up();
    assert.deepEqual(await site.passwords(), passwords);
  });

  it("survive another display name, e-mail and newer versions; the Secrets stay the same", async () => {
    const before_ = uids(await site.list("secret,statefulset,deployment"));
    site.config = {
      "matomo:website": { name: "Renamed" },
      "matomo:email": "renamed@example.com",
      "matomo:matomo": { version: "5.5.2" },
      "matomo:mariadb": { version: "12.3.1" },
    };
    await site.up();
    assert.deepEqual(await site.passwords(), passwords);
    assert.deepEqual(uids(await site.list("secret,statefulset,deployment")), before_);
    const { spec } = await site.get("statefulset", "matomo-mariadb");
    assert.equal(spec.template.spec.containers[0].image, "mariadb:12.3.1");
    await site.expectUnchanged();
  });
});
