/**
 * Incident 7: the storage driver lost the backup's volume. The backup's pod waited for it for ever,
 * and the upgrade, which waited for the pod, hung until its time-out.
 */
import assert from "node:assert/strict";
import type { Live } from "../../api/harness";
import { within } from "../../waits";
import { useBench } from "./bench";
import { onWaitingNodes } from "./kubelet";

const CLAIM = "matomo-backup";

describe("incident 7: a volume that the driver lost", () => {
  const bench = useBench("incident-7", { waitingNodes: true });

  /** The volume of a claim, as the cloud knows it. */
  async function volumeId(claim: string, namespace: string): Promise<string> {
    const { site } = bench();
    const bound = ["--for=jsonpath={.status.phase}=Bound", within("controllerActs")];
    await site.kubectl("wait", "pvc", claim, ...bound, "-n", namespace);
    const field = (path: string) => ["-o", `jsonpath={${path}}`, "-n", namespace];
    const name = await site.kubectl("get", "pvc", claim, ...field(".spec.volumeName"));
    return site.kubectl("get", "pv", name, ...field(".spec.csi.volumeHandle"));
  }

  async function cloud(volume: string, what: "lose" | "restore"): Promise<void> {
    const url = `${bench().site.cluster.cloudUrl}/test/volumes/${volume}/${what}`;
    const { ok, status } = await fetch(url, { method: "POST" });
    assert.ok(ok, `${what}: HTTP ${status}`);
  }

  it("keeps its pod waiting, which says what the driver says, until it is found", async () => {
    await bench().createSurroundings();
    const volume = await volumeId(CLAIM, bench().namespace);
    await cloud(volume, "lose");
    const { spec } = await bench().copy("cronjob", "matomo-backup");
    const job = spec.jobTemplate.spec;
    onWaitingNodes(job.template.spec);
    const metadata = { name: "old" };
    await bench().create({ apiVersion: "batch/v1", kind: "Job", metadata, spec: job });
    const told = new RegExp(
      `^AttachVolume.Attach failed for volume "pvc-.*" : rpc error: code = NotFound desc = ` +
        `volume "${volume}" does not exist$`,
    );
    const event = await bench().event("FailedAttachVolume", told);
    const shown = await bench().shownWaiting(event.involvedObject.name);
    assert.match(shown, /0\/1 +(ContainerCreating|Init:0\/1)/);
    await cloud(volume, "restore");
    // Each failure has doubled the time until the driver is asked again.
    await bench().running("backup");
  });

  it("does not hold up ours: an up that changes the backup ends while its volume is lost", async () => {
    const { site } = bench();
    const volume = await volumeId(CLAIM, "matomo");
    const retention = ({ spec }: Live): string =>
      spec.jobTemplate.spec.template.spec.containers[0].env.find(
        ({ name }: Live) => name === "RETENTION_DAYS",
      ).value;
    const before = retention(await site.get("cronjob", "matomo-backup"));
    await cloud(volume, "lose");
    try {
      const backup = { ...(site.config["matomo:backup"] as object), retentionDays: 31 };
      await site.up({ "matomo:backup": backup });
      assert.equal(retention(await site.get("cronjob", "matomo-backup")), "31");
    } finally {
      await cloud(volume, "restore");
      await site.up();
    }
    assert.equal(retention(await site.get("cronjob", "matomo-backup")), before);
  });
});
