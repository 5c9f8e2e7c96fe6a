/** Whether a repair that was begun is the one to go on with. */
import assert from "node:assert/strict";
import type { Facts } from "../../../../fleet/repair/judge";
import { isOf } from "../../../../fleet/repair/repair";

const begun = { lost: [{ name: "matomo", uid: "first" }, { name: "data-matomo-mariadb-0" }] };
const lost = (claim: string, uid?: string): Facts => ({
  ...{ claim, attachments: [], pods: [], warnings: [] },
  found: uid === undefined ? undefined : { uid, phase: "Bound" },
});

describe("a repair that was begun", () => {
  it("goes on while its own claims are lost, or nothing is any more", () => {
    assert.ok(isOf(begun, [lost("matomo", "first"), lost("data-matomo-mariadb-0")]));
    assert.ok(isOf(begun, [lost("matomo")]));
    assert.ok(isOf(begun, []));
  });

  it("is another one's when a claim is lost that it has made, or never had", () => {
    assert.ok(!isOf(begun, [lost("matomo", "second")]));
    assert.ok(!isOf(begun, [lost("data-matomo-mariadb-0", "second")]));
    assert.ok(!isOf(begun, [lost("matomo", "first"), lost("matomo-backup")]));
  });
});
