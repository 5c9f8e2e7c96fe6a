/** `status`: each thing that can be wrong with a site, told apart for a script to read. */
import assert from "node:assert/strict";
import * as https from "node:https";
import type { AddressInfo } from "node:net";
import { generate } from "selfsigned";
import { NAMESPACE } from "../../components/labels";
import { nodeNames } from "../../local/objects";
import type { Live } from "../api/harness";
import { eventually, within } from "../waits";
import { FleetBench, sharedBench } from "./bench";

const CERTIFICATE_DAYS = 5;

describe("fleet status", () => {
  let bench: FleetBench;
  let front: https.Server;

  before(async () => {
    const { bench: shared } = await sharedBench();
    const { site, stacks } = shared;
    // A database that takes no password.
    bench = new FleetBench(site, stacks, {}, { accepted: {}, mariadb: "12.0.2" });
    // Half a day more: days are counted in full, at whatever time of this run.
    const notAfterDate = new Date(Date.now() + (CERTIFICATE_DAYS + 0.5) * 24 * 3600_000);
    const pem = await generate([{ name: "commonName", value: "front" }], { notAfterDate });
    front = https.createServer({ key: pem.private, cert: pem.cert }, (_, response) => {
      response.writeHead(503).end();
    });
    await new Promise<void>((resolve) => front.listen(0, "127.0.0.1", resolve));
  });
  after(() => {
    front?.closeAllConnections();
    front?.close();
  });

  const kubectl = (...args: string[]) => bench.site.kubectl(...args, "-n", NAMESPACE);
  /** The web pod, and no other that still ends. */
  async function webPod(): Promise<Live> {
    const selector = "app.kubernetes.io/component=web";
    const { items } = JSON.parse(await kubectl("get", "pods", "-l", selector, "-o", "json"));
    const [pod, ...more] = items as Live[];
    assert.ok(pod && !more.length, `${items.length} web pods`);
    return pod;
  }

  /** A run of a CronJob that fails at once: no node takes its pod. */
  async function failedRun(word: "archive" | "backup"): Promise<void> {
    await bench.site.makeJob(`matomo-${word}`, `${word}-fails`, ({ spec }) => {
      spec.activeDeadlineSeconds = 1;
      spec.template.spec.nodeSelector = { nowhere: "true" };
    });
    await kubectl("wait", "--for=condition=Failed", `job/${word}-fails`, within("jobEnds"));
  }

  function history(limit: number): Promise<string> {
    const body = JSON.stringify({ spec: { revisionHistoryLimit: limit } });
    return kubectl("patch", "deployment", "matomo", "--type=merge", "-p", body);
  }

  it("says all that is wrong with one stack, and that another cannot be reached", async () => {
    const { revisionHistoryLimit } = (await bench.site.get("deployment", "matomo")).spec;
    const stray = {
      apiVersion: "v1",
      kind: "PersistentVolumeClaim",
      metadata: { name: "stray", namespace: NAMESPACE },
      spec: {
        accessModes: ["ReadWriteOnce"],
        storageClassName: "nobody-makes-it",
        resources: { requests: { storage: "1Gi" } },
      },
    };
    const address = `--address=127.0.0.1:${(front.address() as AddressInfo).port}`;
    try {
      await bench.site.kubectl("cordon", ...nodeNames);
      const { metadata } = await eventually("one web pod", webPod);
      await kubectl("delete", "pod", metadata!.name!, "--wait=false");
      await eventually("another web pod", async () => {
        const { metadata: now } = await webPod();
        return now!.name !== metadata!.name;
      });
      await bench.site.cluster.kubectl(["create", "-f", "-"], JSON.stringify(stray));
      await failedRun("archive");
      await failedRun("backup");
      await history(9);
      await bench.settings({
        "matomo:mariadb": { version: "12.0.9" },
        "matomo:aliases": ["stats.example.org"],
      });
      const { stdout, stderr, exitCode } = await bench.run("status", "--all", "--json", address);
      assert.equal(exitCode, 1, stderr);
      const [liberty, yonks] = JSON.parse(stdout).stacks;
      assert.deepEqual([liberty.ok, yonks.ok], [false, false]);
      assert.match(yonks.error, /DigitalOcean's cluster "nowhere" cannot be read/);
      const problems: RegExp[] = [
        /^matomo\.liberty\.example\.com answers HTTP 503$/,
        /^the certificate of matomo\.liberty\.example\.com ends in 5 days, on /,
        /^stats\.example\.org answers HTTP 503$/,
        /^the certificate of stats\.example\.org ends in 5 days, on /,
        /^pod matomo-\S+ is not ready$/,
        /^the database refuses the mariadb-password of Secret matomo-mariadb.*Access denied$/,
        /^claim stray is Pending$/,
        /^archive archive-fails failed; /,
        /^backup backup-fails failed; /,
        /^mariadb 12\.0\.2 runs, 12\.0\.9 is wanted$/,
        /^1 objects differ: npm run fleet -- drift liberty$/,
      ];
      assert.equal(liberty.problems.length, problems.length, liberty.problems.join("\n"));
      problems.forEach((words, i) => assert.match(liberty.problems[i], words));
      assert.deepEqual([liberty.site.trusted, liberty.drift], [false, 1]);
      const [{ host, status }] = liberty.aliases;
      assert.deepEqual([host, status], ["stats.example.org", 503]);
    } finally {
      await bench.site.kubectl("uncordon", ...nodeNames);
      await bench.settings();
      await history(revisionHistoryLimit);
      const made = ["job/archive-fails", "job/backup-fails", "pvc/stray"];
      await kubectl("delete", ...made, "--ignore-not-found", within("podGone"));
      await kubectl("rollout", "status", "deployment/matomo", within("rolloutEnds"));
    }
  });
});
