import * as assert from "node:assert/strict";
import { takeOption } from "../../../local/options";

describe("an option among another program's arguments", () => {
  const rows: [string, string | undefined, string][] = [
    ["get pods", undefined, "get pods"],
    ["-n matomo get pods", undefined, "-n matomo get pods"],
    ["--context own get pods", "own", "get pods"],
    ["get --context=own pods", "own", "get pods"],
    ["get pods --context one --context two", "two", "get pods"],
    ["get pods --context", undefined, "get pods"],
    ["get --context-lines 3", undefined, "get --context-lines 3"],
    ["exec web -- ls --context own", undefined, "exec web -- ls --context own"],
    ["--context own exec web -- ls -- --context", "own", "exec web -- ls -- --context"],
  ];
  for (const [args, value, rest] of rows) {
    it(`"${args}"`, () => {
      const taken = takeOption(args.split(" "), "--context");
      assert.deepEqual(taken, { value, rest: rest.split(" ") });
    });
  }

  it("has several names", () => {
    const of = (...args: string[]) => takeOption(args, "--stack", "-s").value;
    assert.deepEqual(
      [of("-s", "yonks"), of("--stack=yonks"), of("-silent")],
      ["yonks", "yonks", undefined],
    );
  });
});
