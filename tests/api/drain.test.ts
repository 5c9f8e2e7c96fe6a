/**
 * Issue 6, 3.6 and incident 14: every node drains, one after the other, without being held up, and
 * the pods come back on another.
 */
import assert from "node:assert/strict";
import { before, describe, it } from "mocha";
import { nodeNames } from "../../local/objects";
import { Bench } from "../incidents/cluster/bench";
import { within } from "../waits";
import { sharedSite, type Site, titles } from "./harness";

describe("drain", () => {
  let site: Site;
  let pods: Bench;

  before(async () => {
    site = await sharedSite("yonks");
    pods = new Bench(site, "matomo");
  });

  for (const node of nodeNames) {
    it(`${node} drains, and no pod of the site is left on it`, async () => {
      try {
        await site.kubectl("drain", node, "--delete-emptydir-data", within("drainEnds"));
        const left = (await site.list("pods")).filter(({ spec }) => spec.nodeName === node);
        assert.deepEqual(titles(left), []);
        // A workload's own status may still be the one from before.
        for (const component of ["mariadb", "web"]) await pods.ready(component, node);
      } finally {
        await site.kubectl("uncordon", node);
      }
    });
  }

  it("and the stack sees no difference", async () => {
    await site.pulumi(["preview", "--expect-no-changes"]);
  });
});
