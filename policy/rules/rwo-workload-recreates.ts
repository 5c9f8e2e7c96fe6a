/**
 * A Deployment that mounts a claim never runs two pods at a rollout.
 *
 * With RollingUpdate and the default surge the new pod starts on another node while the old one
 * still holds the ReadWriteOnce volume: Multi-Attach at every rollout (incident 13). Recreate, or a
 * RollingUpdate with maxSurge 0, stops the old pod first.
 */
import { View } from "../core/data";
import { anyOf, orElse } from "../core/logic";
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
  const spec = workload.object.view.at("spec");
  const namespace = workload.object.namespace();
  const isOwn = (claim: View) => {
    const name = claim.text() ?? "";
    return !sharedClaims.includes(`${namespace}/${name}`) && !memory.isSharedClaim(namespace, name);
  };
  const passes = anyOf([
    () => stopsFirst(spec.at("strategy")),
    () => !anyOf(claimNames(workload).map((claim) => () => isOwn(claim))),
    () => spec.at("replicas").number() === 0,
  ]);
  if (passes) {
    return undefined;
  }
  const claim = claimNames(workload).find((one) => orElse(() => isOwn(one), false));
  return {
    at: "spec.strategy",
    found: `${typeOf(spec.at("strategy"))} with maxSurge ${surgeOf(spec.at("strategy"))} runs two pods at a rollout, and both mount claim ${claim?.text()}`,
    fix: "Set strategy.type to Recreate, or maxSurge to 0; if many pods may mount that claim, name it in sharedClaims.",
  };
}

const typeOf = (strategy: View) => strategy.at("type").text() ?? "RollingUpdate";

const surgeOf = (strategy: View) => strategy.at("rollingUpdate", "maxSurge").text() ?? "25%";

/** The old pod is gone before the new one starts. A surge in percent rounds up to one pod. */
function stopsFirst(strategy: View): boolean {
  return typeOf(strategy) === "Recreate" || scaled(surgeOf(strategy), 100) === 0;
}
