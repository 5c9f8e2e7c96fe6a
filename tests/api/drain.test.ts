/**
 * Issue 6, 3.6 and incident 14: every node drains, one after the other, without being held up, and
 * the pods come back on another.
 */
import assert from "node:assert/strict";
import { before, describe, it } from "mocha";
import { nodeNames } from "../../local/objects";
import { sharedSite, type Site } from "./harness";

describe("drain", () => {
  let site: Site;

  before(async () => {
    site = await sharedSite("yonks");
  });

  async function nodesOfPods(): Promise<Record<string, string>> {
    const pods = (await site.list("pods")).filter(({ metadata }) => !metadata!.deletionTimestamp);
    const running = pods.filter(({ status }) => status.phase === "Running");
    return Object.fromEntries(
      running.map(({ metadata, spec }) => [
        metadata!.labels!["app.kubernetes.io/component"],
        spec.nodeName,
      ]),
    );
  }

  for (const node of nodeNames) {
    it(`${node} drains, and no pod of the site is left on it`, async () => {
      await site.kubectl("drain", node, "--delete-emptydir-data", "--timeout=60s");
      for (const workload of ["deployment/matomo", "statefulset/matomo-mariadb"]) {
        await site.kubectl("rollout", "status", workload, "-n", "matomo", "--timeout=60s");
      }
      const nodes = await nodesOfPods();
      assert.deepEqual(Object.keys(nodes).sort(), ["mariadb", "web"]);
      assert.ok(!Object.values(nodes).includes(node), JSON.stringify(nodes));
      await site.kubectl("uncordon", node);
    });
  }

  it("and the stack sees no difference", async () => {
    await site.pulumi(["preview", "--expect-no-changes"]);
  });
});
