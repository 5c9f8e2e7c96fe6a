/**
 * Incident 14: a budget that demands the only replica, so that no node could ever be drained: each
 * upgrade of a cluster hung on it.
 */
import assert from "node:assert/strict";
import { type ApiException, CoreV1Api } from "@kubernetes/client-node";
import type { Live } from "../../api/harness";
import { eventually, within } from "../../waits";
import { Bench, useBench } from "./bench";
import { onWaitingNodes } from "./kubelet";

const COMPONENTS = ["web", "mariadb"];
/** kubectl's option for a drain that is to give up. */
const IN_VAIN = "--timeout=1s";

describe("incident 14: a budget that blocks a drain", () => {
  const bench = useBench("incident-14", { waitingNodes: true });
  let pod: Live;

  before("a web pod of ours runs", async () => {
    await bench().createSurroundings();
    const onNodes = ({ spec }: Live) => onWaitingNodes(spec.template.spec);
    await bench().create(await bench().copy("deployment", "matomo", onNodes));
    pod = await bench().running("web");
  });

  /** The release's budget, once the disruption controller has counted the pod. */
  async function createBudget(name: string): Promise<void> {
    const matchLabels = {
      "app.kubernetes.io/name": "matomo",
      "app.kubernetes.io/instance": "matomo",
    };
    await bench().create({
      apiVersion: "policy/v1",
      kind: "PodDisruptionBudget",
      metadata: { name },
      spec: { minAvailable: 1, selector: { matchLabels } },
    });
    const counted = "--for=jsonpath={.status.currentHealthy}=1";
    await bench().kubectl("wait", "pdb", name, counted, within("controllerActs"));
  }

  /** HTTP status and message that an eviction of the pod is answered with. */
  async function evict(): Promise<[number, string]> {
    const { name = "", namespace = "" } = pod.metadata!;
    const body = { metadata: { name, namespace } };
    const core = bench().config.makeApiClient(CoreV1Api);
    const answer = core.createNamespacedPodEviction({ name, namespace, body });
    return answer.then(
      () => [201, ""],
      (error: ApiException<string>) => [error.code, JSON.parse(error.body).message],
    );
  }

  it("the old one answers 429, and a drain waits in vain", async () => {
    await createBudget("matomo");
    const refusal = "Cannot evict pod as it would violate the pod's disruption budget.";
    assert.deepEqual(await evict(), [429, refusal]);
    const drain = ["drain", pod.spec.nodeName, "--delete-emptydir-data", IN_VAIN];
    // One that comes to no eviction within its second has not waited for any.
    await eventually("a drain gives up, and says for what it waited", async () => {
      const told = await bench().refused(...drain);
      assert.match(told, /error when evicting pods.*Cannot evict pod as it would violate/);
      assert.match(told, /global timeout reached/);
      return true;
    });
    await bench().kubectl("uncordon", pod.spec.nodeName);
  });

  it("two on one pod answer 500", async () => {
    await createBudget("second");
    assert.deepEqual(await evict(), [
      500,
      "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
    ]);
  });

  it("ours let a drain finish, of every node that the site is on", async () => {
    const { site } = bench();
    const pods = new Bench(site, "matomo");
    for (const component of COMPONENTS) {
      const { metadata, spec } = await pods.ready(component);
      const node = spec.nodeName;
      const options = ["--delete-emptydir-data", "--ignore-daemonsets", within("drainEnds")];
      assert.match(await site.kubectl("drain", node, ...options), /drained$/);
      try {
        // A workload's own status may still be the one from before.
        const next = await pods.ready(component, node);
        for (const other of COMPONENTS) await pods.ready(other, node);
        assert.notEqual(next.metadata!.uid, metadata!.uid);
      } finally {
        await site.kubectl("uncordon", node);
      }
    }
  });
});
