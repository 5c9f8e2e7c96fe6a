/**
 * Incident 2: the archive job mounted the volume of the running web pod. A block volume attaches to
 * one node, so the job's pod stayed in ContainerCreating for ever and no report was made.
 */
import assert from "node:assert/strict";
import type { Live } from "../../api/harness";
import { within } from "../../waits";
import { type Change, isOf, useBench } from "./bench";
import { onWaitingNodes } from "./kubelet";

describe("incident 2: an archive job that mounts the data volume", () => {
  const bench = useBench("incident-2", { waitingNodes: true });
  let webNode: string;

  before("a web pod of ours runs, and its node takes no further pod", async () => {
    await bench().createSurroundings();
    const onNodes = ({ spec }: Live) => onWaitingNodes(spec.template.spec);
    await bench().create(await bench().copy("deployment", "matomo", onNodes));
    webNode = (await bench().running("web")).spec.nodeName;
    await bench().kubectl("cordon", webNode);
  });

  /** A Job of our archive CronJob, with `change` made to its pod. */
  async function archive(name: string, change: Change = () => undefined): Promise<void> {
    const { spec } = await bench().copy("cronjob", "matomo-archive");
    const job = spec.jobTemplate.spec;
    onWaitingNodes(job.template.spec);
    change(job.template.spec);
    await bench().create({ apiVersion: "batch/v1", kind: "Job", metadata: { name }, spec: job });
  }

  it("hangs in ContainerCreating with a Multi-Attach error", async () => {
    await archive("old", (pod) => {
      pod.volumes.push({ name: "data", persistentVolumeClaim: { claimName: "matomo" } });
      pod.containers[0].volumeMounts.push({ name: "data", mountPath: "/var/www/html" });
    });
    const told =
      /^Multi-Attach error for volume "pvc-.*" Volume is already used by pod\(s\) matomo-/;
    const event = await bench().event("FailedAttachVolume", told);
    const pod = event.involvedObject.name;
    const shown = await bench().shownWaiting(pod);
    assert.match(shown, new RegExp(`${pod} +0/1 +ContainerCreating`));
    await bench().kubectl("delete", "job", "old");
  });

  it("ours runs on another node than the web pod, and completes", async () => {
    await archive("ours");
    const pod = await bench().running("archive");
    assert.notEqual(pod.spec.nodeName, webNode);
    const claims = pod.spec.volumes.filter((volume: Live) => volume.persistentVolumeClaim);
    assert.deepEqual(claims, []);
    await bench().kubelet.finish(pod, "Succeeded");
    await bench().kubectl("wait", "job/ours", "--for=condition=Complete", within("jobEnds"));
    const web = await bench().running("web");
    assert.ok(isOf("web", web) && web.spec.nodeName === webNode);
  });
});
