/**
 * Issue 6, 3.2: passwords and tokens are made at random, once. No refresh and no changed label makes
 * them anew (a renamed website and a newer version: changes.test.ts; a killed `up`:
 * interruptions.test.ts).
 */
import assert from "node:assert/strict";
import { before, describe, it } from "mocha";
import { sharedSite, type Site } from "./harness";

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
    const label = (...how: string[]) =>
      site.kubectl("label", "secret", "matomo", "matomo-mariadb", ...how, "-n", "matomo");
    await label("team=web");
    try {
      await site.up();
      await site.pulumi(["refresh", "--yes", "--skip-preview"]);
      await site.up();
      assert.deepEqual(await site.passwords(), passwords);
    } finally {
      await label("team-");
      // The state knew the label since it was refreshed.
      await site.pulumi(["refresh", "--yes", "--skip-preview"]);
    }
  });
});
