/**
 * Incident 13: a rolling update starts the new pod before the old one is gone. On another node it
 * cannot attach the volume, so no rollout ever ended.
 */
import assert from "node:assert/strict";
import type { Live } from "../../api/harness";
import { within } from "../../waits";
import { type Change, useBench } from "./bench";
import { onWaitingNodes } from "./kubelet";

describe("incident 13: a rollout that attaches the volume twice", () => {
  const bench = useBench("incident-13", { waitingNodes: true });

  /** Runs a copy of our Deployment, and rolls it while its pod's node takes no further pod. */
  async function rollOut(change: Change = () => undefined): Promise<Live> {
    const deployment = await bench().copy("deployment", "matomo", ({ spec }) => {
      onWaitingNodes(spec.template.spec);
      change(spec);
    });
    await bench().create(deployment);
    const first = await bench().running("web");
    await bench().kubectl("cordon", first.spec.nodeName);
    await bench().kubectl("rollout", "restart", "deployment/matomo");
    return first;
  }

  before(() => bench().createSurroundings());
  afterEach(async () => {
    await bench().kubectl("delete", "deployment", "matomo", "--cascade=foreground");
    await bench().kubectl("delete", "events", "--all");
    await bench().kubectl("uncordon", "--selector=matomo-fleet/incidents");
  });

  it("RollingUpdate hangs with a Multi-Attach error until its deadline", async () => {
    const first = await rollOut((spec) => {
      delete spec.strategy;
      spec.progressDeadlineSeconds = 5;
    });
    const told = new RegExp(
      `^Multi-Attach error for volume .* used by pod\\(s\\) ${first.metadata!.name}$`,
    );
    const event = await bench().event("FailedAttachVolume", told);
    const status = ["rollout", "status", "deployment/matomo", within("rolloutEnds")];
    assert.match(
      await bench().refused(...status),
      /deployment "matomo" exceeded its progress deadline/,
    );
    const shown = await bench().shownWaiting(event.involvedObject.name);
    assert.match(shown, /0\/1 +ContainerCreating/);
  });

  it("ours detaches first, attaches on the other node, and is done", async () => {
    const first = await rollOut();
    const status = ["rollout", "status", "deployment/matomo", within("rolloutEnds")];
    assert.match(await bench().kubectl(...status), /successfully rolled out/);
    const second = await bench().running("web");
    assert.notEqual(second.spec.nodeName, first.spec.nodeName);
    // The volume may be on its way off the old node; what hangs names a pod that still uses it.
    const told = await bench().events("FailedAttachVolume");
    assert.deepEqual(
      told.filter((message) => message.includes("used by pod(s)")),
      [],
    );
  });
});
