/**
 * Issue 6, 3.7 and decision 10: a cluster that KUBECONFIG and ~/.kube/config name, and the service
 * account of a pod that the program may run in, receives not one connection. Here it is a stack
 * whose cluster is DigitalOcean's; destroy.test.ts has one that names a context, from its first `up`
 * to its `destroy`.
 */
import assert from "node:assert/strict";
import * as path from "node:path";
import { after, before, describe, it } from "mocha";
import { execa } from "execa";
import { kubernetes } from "../../local/artefacts";
import { ensureArtefact } from "../../local/toolchain";
import { Decoy } from "./decoy";
import { sharedSite, type Site } from "./harness";

describe("a decoy cluster in the environment", () => {
  let site: Site;
  let decoy: Decoy;

  before(async () => {
    site = await sharedSite("liberty");
    decoy = await Decoy.start(site.folder);
  });
  after(() => decoy?.close());

  it("is reached by whoever trusts the environment", async () => {
    const kubectl = path.join(await ensureArtefact(kubernetes), "kubectl");
    await execa(kubectl, ["get", "pods"], { env: decoy.env, reject: false });
    assert.ok(decoy.connections > 0);
    decoy.connections = 0;
  });

  for (const command of [
    ["preview"],
    ["refresh", "--yes", "--skip-preview"],
    ["up", "--yes", "--skip-preview"],
  ]) {
    it(`pulumi ${command[0]} goes to the stack's own cluster alone`, async () => {
      await site.pulumi(command, { env: decoy.env });
      assert.equal(decoy.connections, 0);
    });
  }
});
