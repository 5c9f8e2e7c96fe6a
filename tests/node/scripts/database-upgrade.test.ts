/**
 * A newer MariaDB on the data folder of an older one, 10.11 and 11.8 as Debian has them: the image's
 * own upgrade, what a site does before and after it, and an upgrade that is killed.
 */
import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";
import { ensureTool, newerMariadb } from "../../tools";
import { eventually } from "../../waits";
import { Site } from "./site";

describe("a newer MariaDB", () => {
  const newer = async () => ({ root: path.join(await ensureTool(newerMariadb), "root") });

  for (const end of ["stopped", "killed"] as const) {
    describe(`where the older one was ${end}`, () => {
      const site = new Site();
      let visits = 0;
      before(async () => {
        await site.start();
        await site.up();
      });
      after(() => site.dispose());

      async function visit(): Promise<void> {
        const page = encodeURIComponent(`https://example.com/${++visits}`);
        const url = `http://matomo:8082/matomo.php?idsite=1&rec=1&url=${page}`;
        const id = visits.toString(16).padStart(16, "0");
        assert.equal((await site.http("GET", `${url}&_id=${id}`)).status, 200);
      }
      async function keepsEach(): Promise<void> {
        assert.equal(Number(await site.value("SELECT COUNT(*) FROM matomo_log_visit")), visits);
      }
      const words = () => site.database!.output();

      it("takes over its data, with every row", async () => {
        assert.match(await site.value("SELECT VERSION()"), /^10\.11\./);
        await visit();
        assert.equal((await site.archive()).status, 0);
        await visit();
        if (end === "stopped") await site.stopDatabase();
        else await site.sandbox.loseContainers();
        site.databaseImage = await newer();
        await site.startDatabase();
        assert.match(words(), /Starting mariadb-upgrade/);
        assert.doesNotMatch(words(), /\[ERROR\]/);
        assert.match(await site.value("SELECT VERSION()"), /^11\.8\./);
        await keepsEach();
        if (end === "killed") await site.startWeb();
      });

      it("records, archives, and proves a backup", async () => {
        await visit();
        await keepsEach();
        const archived = await site.archive();
        assert.equal(archived.status, 0, archived.output);
        const backup = await site.backup();
        assert.equal(backup.status, 0, backup.output);
        assert.equal(site.backups().length, 1);
      });

      it("has the stack's settings", async () => {
        const names = ["innodb_snapshot_isolation", "character_set_server", "performance_schema"];
        const values = await site.value(`SELECT @@${names.join(", @@")}`);
        assert.equal(values, "0\tutf8mb4\t0");
      });

      it("is not upgraded again", async () => {
        await site.stopDatabase();
        await site.startDatabase();
        assert.doesNotMatch(words(), /Starting mariadb-upgrade/);
        await keepsEach();
      });

      it("killed in its upgrade, is upgraded by its next start", async () => {
        await site.sandbox.loseContainers();
        // Nobody knows any more which version was there.
        for (const name of ["mariadb_upgrade_info", "mysql_upgrade_info"]) {
          fs.rmSync(site.path("data", name), { force: true });
        }
        const held = ["#!/bin/bash", "echo held >&2", "exec sleep infinity", ""].join("\n");
        const database = await site.spawnDatabase({ "mariadb-upgrade": held });
        await eventually("it is held", () => database.output().includes("held"));
        await site.sandbox.loseContainers();
        await site.startDatabase();
        assert.match(words(), /Starting mariadb-upgrade/);
        await site.startWeb();
        await visit();
        await keepsEach();
      });
    });
  }
});
