import assert from "node:assert/strict";
import { describe, it } from "mocha";
import { parseSettings } from "../../../components/settings";
import { risesOf } from "../../../fleet/upgrade";
import { MINIMAL } from "../../render";

describe("the versions that go up", () => {
  const settings = parseSettings({
    ...MINIMAL,
    matomo: '{"version":"5.10.0"}',
    mariadb: '{"image":"registry.example.com/mariadb:12.1.0-ubi"}',
  });

  it("are those that are newer than the live ones, as numbers, an image's own included", () => {
    const both = ["matomo 5.9.2 to 5.10.0", "mariadb 12.0.2 to 12.1.0"];
    assert.deepEqual(risesOf(settings, { matomo: "5.9.2", mariadb: "12.0.2" }), both);
    assert.deepEqual(risesOf(settings, { matomo: "5.10.0", mariadb: "12.0.2" }), both.slice(1));
  });

  it("are none of what is not there, the same or newer", () => {
    assert.deepEqual(risesOf(settings, {}), []);
    assert.deepEqual(risesOf(settings, { matomo: "5.10.0", mariadb: "12.1.1" }), []);
  });
});
