/** PHP itself reads every script, as the pods will; the unit tier has only a parser of its grammar. */
import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";
import { Sandbox } from "./sandbox";

const SCRIPTS = path.resolve(__dirname, "../../../components/scripts");

describe("php -l", () => {
  const sandbox = new Sandbox();
  before(() => sandbox.start());
  after(() => sandbox.dispose());

  for (const file of fs.readdirSync(SCRIPTS).filter((name) => name.endsWith(".php"))) {
    it(file, async () => {
      const mounts = { "/scripts": `${SCRIPTS}:ro` };
      const command = ["php", "-l", `/scripts/${file}`];
      const { status, output } = await sandbox.run({ image: "matomo", user: 33, mounts, command });
      assert.equal(status, 0, output);
    });
  }
});
