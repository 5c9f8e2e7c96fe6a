/**
 * Issue 9, section 1: adoption that is interrupted at ten points, each time run again, ends in the
 * adopted site. The release is one of Helm 3's, whose field manager also owns what Kubernetes filled
 * in. One site: each run finds what the one before it left.
 */
import assert from "node:assert/strict";
import { after, before, describe, it } from "mocha";
import { type Live, outputOf, uids } from "../api/harness";
import { type AdoptionBench, releasedSite } from "./bench";
import { releases } from "./helm";

/** Where it is cut off: before the n-th step that begins with these words. */
const POINTS: [string, number][] = [
  ["saving", 1],
  ["writing", 1],
  ["marking", 1],
  ["handing over", 1],
  ["handing over", 7],
  ["preview", 1],
  ["proven backup", 1],
  ["up of", 1],
  ["comparing", 1],
  ["removing Helm's record", 1],
];

class Interruption extends Error {}

describe("an interrupted adoption", () => {
  let bench: AdoptionBench;
  let released: Live[];
  let backups = 0;

  before(async () => {
    const values = { domain: "matomo.local.example.com", email: "admin@local.example.com" };
    bench = await releasedSite({ stack: "local", values, clientSide: true });
    released = await bench.objects();
    const deployment = released.find(({ kind }) => kind === "Deployment")!;
    const helm = deployment.metadata!.managedFields!.find(({ manager }) => manager === "helm");
    assert.equal(helm?.operation, "Update", "as Helm 3 wrote it");
  });
  after(() => bench?.site.close());

  const isRecord = ({ type }: Live) => type === "helm.sh/release.v1";

  async function assertKept(): Promise<void> {
    const now = uids(await bench.objects());
    const before = uids(released.filter((object) => !isRecord(object)));
    for (const [object, uid] of Object.entries(before)) assert.equal(now[object], uid, object);
    const { admin, database, root } = bench.passwords;
    assert.equal((await bench.site.secret("matomo"))["matomo-password"], admin);
    const secret = await bench.site.secret("matomo-mariadb");
    assert.equal(secret["mariadb-password"], database);
    assert.equal(secret["mariadb-root-password"], root);
  }

  for (const [words, count] of POINTS) {
    it(`before "${words}"${count > 1 ? `, the ${count}th` : ""}`, async () => {
      let seen = 0;
      const step = (what: string) => {
        if (what === "proven backup") backups++;
        if (what.startsWith(words) && ++seen === count) throw new Interruption(what);
      };
      await assert.rejects(bench.adopt(step), Interruption);
      await assertKept();
      // Helm is the one who knows the release until the very end.
      assert.deepEqual(await releases(bench.site.cluster.kubeconfig), ["matomo"]);
    });
    if (words === "proven backup") {
      it("with a backup that fails: nothing is changed, and the job's end is told", async () => {
        const { kubectl } = bench.site.cluster;
        const nodes = (await kubectl(["get", "nodes", "-o", "name"])).split("\n");
        const job = ["-n", "matomo", "job/matomo-adoption"];
        const backup = async () => {
          await kubectl(["wait", ...job, "--for=create", "--timeout=120s"]);
          await kubectl(["wait", ...job, "--for=jsonpath={.status.active}=1", "--timeout=60s"]);
          await kubectl(["delete", "pod", "-n", "matomo", "-l", "job-name=matomo-adoption"]);
        };
        // Its pod stays Pending, and a pod that is taken away is a failure.
        await kubectl(["cordon", ...nodes]);
        try {
          const failed = /no proven backup, so nothing was changed: job matomo-adoption: it failed/;
          await Promise.all([assert.rejects(bench.adopt(), failed), backup()]);
        } finally {
          await kubectl(["uncordon", ...nodes]);
        }
        await assertKept();
        assert.deepEqual(await releases(bench.site.cluster.kubeconfig), ["matomo"]);
      });
    }
    if (words === "handing over" && count > 1) {
      it("half handed over, an up is refused and names the way on", async () => {
        const result = await bench.site.attempt(["up", "--yes", "--skip-preview"]);
        assert.notEqual(result.exitCode, 0);
        assert.match(outputOf(result), /nothing was touched.*npm run fleet -- adopt local/s);
      });
    }
  }

  it("and then goes on to its end", async () => {
    await bench.adopt();
    assert.match(bench.steps[0], /^going on with the adoption that began/);
    assert.deepEqual(await releases(bench.site.cluster.kubeconfig), []);
    await assertKept();
    await bench.site.expectUnchanged();
  });

  it("did its work once: the proven backup was not made again", () => {
    // Begun and cut off, then made; every later run found it fresh.
    assert.equal(backups, 2);
  });
});
