/** PHP itself reads every script, as the pods will; the unit tier has only a parser of its grammar. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";

const SCRIPTS = path.resolve(__dirname, "../../../components/scripts");

describe("php -l", () => {
  for (const file of fs.readdirSync(SCRIPTS).filter((name) => name.endsWith(".php"))) {
    it(file, () => {
      const { status, stdout } = spawnSync("php", ["-l", path.join(SCRIPTS, file)], {
        encoding: "utf8",
      });
      assert.equal(status, 0, stdout);
    });
  }
});
