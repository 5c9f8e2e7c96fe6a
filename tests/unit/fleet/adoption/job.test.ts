import assert from "node:assert/strict";
import { toldOf } from "../../../../fleet/adoption/job";

const event = (name: string, message: string, lastTimestamp: string, type = "Warning") => ({
  ...{ type, message, lastTimestamp, involvedObject: { name }, metadata: {} },
});
const pod = (status: object) => ({ metadata: { name: "matomo-adoption-x" }, status });

describe("what Kubernetes says of the adoption's Job", () => {
  const refused = event("matomo-adoption", "pods is forbidden", "2026-01-01T00:00:00Z");

  it("is why it has no pod", () => {
    assert.deepEqual(toldOf(undefined, [refused]), ["pods is forbidden"]);
    assert.deepEqual(toldOf(undefined, []), []);
  });

  it("is the newest warning about its pod, whatever order they are listed in", () => {
    const events = [
      event("matomo-adoption-x", "Multi-Attach error", "2026-01-01T00:02:00Z"),
      event("matomo-adoption-x", "0/3 nodes are available", "2026-01-01T00:01:00Z"),
      event("matomo-adoption-x", "Scheduled", "2026-01-01T00:03:00Z", "Normal"),
      event("matomo-0", "Back-off", "2026-01-01T00:04:00Z"),
      refused,
    ];
    assert.deepEqual(toldOf(pod({ phase: "Pending" }), events), ["Multi-Attach error"]);
  });

  it("is what a container waits for, the first ones too", () => {
    const waiting = (reason: string, message?: string) => ({
      state: { waiting: { reason, message } },
    });
    const status = {
      phase: "Pending",
      initContainerStatuses: [waiting("ErrImagePull", "not found")],
      containerStatuses: [waiting("PodInitializing")],
    };
    const late = event("matomo-adoption-x", "not found", "2026-01-01T00:00:00Z");
    assert.deepEqual(toldOf(pod(status), [late]), ["not found", "PodInitializing"]);
  });
});
