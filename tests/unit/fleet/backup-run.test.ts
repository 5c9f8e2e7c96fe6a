import assert from "node:assert/strict";
import type { V1ContainerStatus, V1Pod } from "@kubernetes/client-node";
import { hasProven } from "../../../fleet/backup-run";

const step = (name: string, exitCode?: number) =>
  ({
    name,
    state: exitCode === undefined ? { running: {} } : { terminated: { exitCode } },
  }) as V1ContainerStatus;
const pod = (before: V1ContainerStatus[], then: V1ContainerStatus[] = []): V1Pod => ({
  status: { initContainerStatuses: before, containerStatuses: then },
});

describe("a pod of a backup that failed", () => {
  it("has proven one when the step off-site is what failed", () => {
    assert.equal(hasProven(pod([step("state", 0), step("backup", 0)], [step("offsite", 1)])), true);
  });

  const without: [string, V1Pod][] = [
    ["the proof failed", pod([step("state", 0), step("backup", 1)])],
    ["the proof was still going on", pod([step("state", 0), step("backup")])],
    ["there is no step off-site", pod([step("state", 0)], [step("backup", 1)])],
    ["nothing of it has run", {}],
  ];
  for (const [why, of] of without) {
    it(`has proven none when ${why}`, () => assert.equal(hasProven(of), false));
  }
});
