import * as assert from "node:assert/strict";
import { missingPart, reason } from "../../../fleet/errors";

describe("what is missing on this machine", () => {
  // In the engine's own words, within those that the Automation API puts around them.
  const rows: [string, RegExp][] = [
    ["Command failed with ENOENT: pulumi version\nspawn pulumi ENOENT", /^pulumi is not installed/],
    [
      "error: PULUMI_ACCESS_TOKEN must be set for login during non-interactive CLI sessions",
      /^pulumi is not logged in: pulumi login/,
    ],
    [
      "get stack secrets manager: passphrase must be set with PULUMI_CONFIG_PASSPHRASE or " +
        "PULUMI_CONFIG_PASSPHRASE_FILE environment variables",
      /is not set: export PULUMI_CONFIG_PASSPHRASE/,
    ],
    ["get stack secrets manager: incorrect passphrase", /is not the one/],
    ["error: no stack named 'liberty' found", /has no stack liberty: .*pulumi stack init liberty$/],
  ];
  for (const [text, line] of rows) {
    it(text.split("\n")[0], () => {
      const error = new Error(`code: 255\n stdout: \n stderr: ${text}\n err?: `);
      assert.match(missingPart(error)!, line);
      assert.match(reason(error), line);
      assert.ok(!reason(error).includes("\n"));
    });
  }

  it("is nothing where the engine says something else", () => {
    assert.equal(missingPart(new Error("spawn kubectl ENOENT")), undefined);
    assert.equal(reason(new Error("code: 1\nof another kind")), "code: 1\nof another kind");
  });
});
