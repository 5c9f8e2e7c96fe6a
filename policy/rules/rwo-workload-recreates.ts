/**
 * A Deployment that mounts a claim never runs two pods at a rollout.
 *
 * With RollingUpdate and the default surge the new pod starts on another node while the old one
 * still holds the ReadWriteOnce volume: Multi-Attach at every rollout (incident 13). Recreate, or a
 * RollingUpdate with maxSurge 0, stops the old pod first.
 */
import { scaled } from "../core/quantity";
import { Fault, Memory, resourceRule } from "../core/rule";
import { objectNames, settings } from "../core/settings";
import { claimNames, Workload, workloadOf } from "../core/workloads";

export default resourceRule({
  name: "rwo-workload-recreates",
  title: "A Deployment with a claim stops its old pod first",
  description: "A Deployment that mounts a claim never runs two pods at a rollout.",
  level: "mandatory",
  severity: "critical",
  incidents: [13],
  remediation:
    "Set spec.strategy.type to Recreate, or to RollingUpdate with maxSurge 0; name ReadWriteMany claims in sharedClaims.",
  url: "https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#recreate-deployment",
  settings: settings({
    sharedClaims: objectNames
      .default([])
      .describe("claims, as namespace/name, that many pods may mount and that are made elsewhere"),
  }),

  check(object, judge, { sharedClaims }, memory) {
    const workload = workloadOf(object);
    if (workload?.kind === "Deployment") {
      judge(object, () => fault(workload, sharedClaims, memory));
    }
  },
});

function fault(workload: Workload, sharedClaims: string[], memory: Memory): Fault | undefined {
  const strategy = workload.object.view.at("spec", "strategy");
  const type = strategy.at("type").text() ?? "RollingUpdate";
  if (type === "Recreate") {
    return undefined;
  }
  const surge = strategy.at("rollingUpdate", "maxSurge").text() ?? "25%";
  if (scaled(surge, 100) === 0) {
    return undefined;
  }
  const namespace = workload.object.namespace();
  const claim = claimNames(workload).find((name) => {
    const text = name.text() ?? "";
    return !sharedClaims.includes(`${namespace}/${text}`) && !memory.isSharedClaim(namespace, text);
  });
  if (!claim || workload.object.view.at("spec", "replicas").number() === 0) {
    return undefined;
  }
  return {
    at: "spec.strategy",
    found: `${type} with maxSurge ${surge} runs two pods at a rollout, and both mount claim ${claim.text()}`,
    fix: "Set strategy.type to Recreate, or maxSurge to 0; if many pods may mount that claim, name it in sharedClaims.",
  };
}
