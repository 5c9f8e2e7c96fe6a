/**
 * Issue 6, 3.5: `pulumi destroy` stops at what holds data and says how to go on; after that step it
 * removes the rest and leaves the volumes. And incident 12: neither a destroyed stack nor one whose
 * state was lost makes fresh passwords over the data that is left. All of it beside a decoy cluster
 * (decoy.test.ts).
 */
import assert from "node:assert/strict";
import * as path from "node:path";
import { after, before, describe, it } from "mocha";
import { Decoy } from "./decoy";
import { type Live, newSite, outputOf, type Site, titles, uids, wanted } from "./harness";

const ALL = "secret,pvc,service,deployment,statefulset,cronjob,networkpolicy,configmap,ingress,pdb";
/** What is left of a site, with its namespace. */
const DATA = [
  "PersistentVolumeClaim/data-matomo-mariadb-0",
  "PersistentVolumeClaim/matomo",
  "PersistentVolumeClaim/matomo-backup",
  "Secret/matomo",
  "Secret/matomo-backup",
  "Secret/matomo-mariadb",
];
const ofCertManager = ({ metadata }: Live) => /^(letsencrypt-|matomo-tls)/.test(metadata!.name!);

describe("destroy, and what is left", () => {
  let site: Site;
  let decoy: Decoy;
  let passwords: Record<string, string>;
  let data: Live[];
  let saved: string;

  before(async () => {
    site = await newSite("local");
    decoy = await Decoy.start(site.folder);
    Object.assign(site.engine.env, decoy.env);
    await site.up();
    passwords = await site.passwords();
    data = await site.list("pvc,secret");
    saved = path.join(site.folder, "saved-state.json");
  });
  after(async () => {
    await decoy?.close();
    await site?.close();
  });

  async function refused(args: string[], reason: RegExp): Promise<void> {
    const before_ = wanted(await site.list(ALL));
    const result = await site.attempt(args);
    assert.notEqual(result.exitCode, 0, outputOf(result));
    assert.match(outputOf(result), reason);
    assert.match(outputOf(result), /npm run fleet -- adopt local/);
    assert.deepEqual(wanted(await site.list(ALL)), before_);
    assert.deepEqual(await site.passwords(), passwords);
  }

  it("a stack whose state was lost is refused, and touches nothing", async () => {
    await site.pulumi(["stack", "export", "--file", saved]);
    await site.pulumi(["stack", "rm", "--force", "--yes", "--preserve-config"]);
    const reason = /namespace matomo holds a site that this stack's state does not know/;
    await refused(["preview"], reason);
    await refused(["up", "--yes", "--skip-preview"], reason);
  });

  it("its state brought back, nothing is left to do", async () => {
    await site.pulumi(["stack", "import", "--file", saved]);
    await site.expectUnchanged();
  });

  it("a password that the state lost is not made anew", async () => {
    const resources = JSON.parse(await site.state()).deployment.resources as { urn: string }[];
    const password = resources.find(({ urn }) => urn.endsWith("::database-password"))!.urn;
    await site.pulumi(["state", "delete", password, "--force", "--yes", "--target-dependents"]);
    await refused(["up", "--yes", "--skip-preview"], /this stack.s state does not know/);
    await site.pulumi(["stack", "import", "--file", saved]);
  });

  it("destroy stops at what holds data, before it deletes anything, and says how to go on", async () => {
    const before_ = titles(await site.list(ALL));
    const result = await site.attempt(["destroy", "--yes"]);
    assert.notEqual(result.exitCode, 0);
    assert.match(outputOf(result), /is protected/);
    assert.match(outputOf(result), /pulumi state unprotect/);
    assert.deepEqual(titles(await site.list(ALL)), before_);
  });

  it("unprotected, it removes the rest and leaves the claims, their volumes and the Secrets", async () => {
    await site.pulumi(["state", "unprotect", "--all", "--yes"]);
    await site.pulumi(["destroy", "--yes", "--skip-preview"]);
    const left = (await site.list(ALL)).filter((object) => !ofCertManager(object));
    assert.deepEqual(titles(left), ["ConfigMap/kube-root-ca.crt", ...DATA]);
    const same = (objects: Live[]) => uids(objects.filter((object) => !ofCertManager(object)));
    assert.deepEqual(same(await site.list("pvc,secret")), same(data));
    const volumes = JSON.parse(await site.kubectl("get", "pv", "-o", "json")).items as Live[];
    assert.deepEqual(
      volumes.map(({ status }) => status.phase),
      ["Bound", "Bound", "Bound"],
    );
    assert.deepEqual(await site.passwords(), passwords);
  });

  it("going up again is refused: the passwords would be new and the volumes the old", async () => {
    const reason = /namespace matomo holds a site that this stack's state does not know/;
    await refused(["up", "--yes", "--skip-preview"], reason);
  });

  it("with the state that was saved before, the site comes back as it was", async () => {
    await site.pulumi(["stack", "import", "--file", saved]);
    await site.pulumi(["refresh", "--yes", "--skip-preview"]);
    await site.up();
    await site.expectUnchanged();
    assert.deepEqual(await site.passwords(), passwords);
    assert.deepEqual(
      uids(await site.list("pvc")),
      uids(data.filter(({ kind }) => kind === "PersistentVolumeClaim")),
    );
  });

  it("a cluster that only the environment names was not asked once", () => {
    assert.equal(decoy.connections, 0);
  });
});
