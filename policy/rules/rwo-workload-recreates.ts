/**
 * A Deployment that mounts a claim never runs two pods at a rollout.
 *
 * With RollingUpdate and the default surge the new pod starts on another node while the old one
 * still holds the ReadWriteOnce volume: Multi-Attach at every rollout (incident 13). Recreate, or a
 * RollingUpdate with maxSurge 0, stops the old pod first. A claim that many may mount is no danger:
 * where the Deployment came before its claim, the rule waits for the end of the stack.
 */
import { NotKnown, View } from "../core/data";
import { anyOf, attempt, orElse } from "../core/logic";
import { scaled } from "../core/quantity";
import { eitherRule, Fault, Memory } from "../core/rule";
import { hasPods, Scales } from "../core/scale";
import { objectNames, settings } from "../core/settings";
import { claimNames, Workload, workloadOf } from "../core/workloads";

export default eitherRule({
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
      judge(object, () => atOnce(workload, sharedClaims, memory));
    }
  },

  /**
   * A claim that never came is made elsewhere, and may be ReadWriteOnce. What begins with no pod may
   * have an autoscaler.
   */
  checkStack(stack, judge, { sharedClaims }, memory) {
    const scales = new Scales(stack);
    const isOwn = (claim: string) => !sharedClaims.includes(claim) && !memory.isSharedClaim(claim);
    for (const workload of stack.workloads) {
      const { kind, object } = workload;
      const isIdle = () => hasNoReplicas(workload) && !hasPods(workload, scales);
      const mayWake = kind === "Deployment" && orElse(() => hasNoReplicas(workload), false);
      if (mayWake || memory.postponed.has(object.urn)) {
        judge(object, () => fault(workload, isOwn, isIdle));
      }
    }
  },
});

/** What is decided by the claims that have come; where another one may decide, it is postponed. */
function atOnce(workload: Workload, sharedClaims: string[], memory: Memory): Fault | undefined {
  let isEarly = false;
  const outcome = attempt(() =>
    fault(workload, (claim) => {
      const shared = sharedClaims.includes(claim) || memory.isSharedClaim(claim);
      isEarly ||= shared === undefined;
      return shared === false;
    }),
  );
  if (isEarly && (outcome === undefined || outcome instanceof NotKnown)) {
    memory.postponed.add(workload.object.urn);
    return undefined;
  }
  if (outcome instanceof NotKnown) {
    throw outcome;
  }
  return outcome;
}

const hasNoReplicas = ({ object }: Workload) => object.view.at("spec", "replicas").number() === 0;

/**
 * @param isOwn whether a claim (namespace/name) may be ReadWriteOnce
 * @param isIdle whether it runs no pod
 */
function fault(
  workload: Workload,
  isOwn: (claim: string) => boolean,
  isIdle = () => hasNoReplicas(workload),
): Fault | undefined {
  const spec = workload.object.view.at("spec");
  const strategy = spec.at("strategy");
  const namespace = workload.object.namespace();
  const mayBeOne = (claim: View) => isOwn(`${namespace}/${claim.text()}`);
  const passes = anyOf([
    () => stopsFirst(strategy),
    () => !anyOf(claimNames(workload).map((claim) => () => mayBeOne(claim))),
    isIdle,
  ]);
  if (passes) {
    return undefined;
  }
  const claim = claimNames(workload).find((one) => orElse(() => mayBeOne(one), false));
  return {
    at: "spec.strategy",
    found: `${typeOf(strategy)} with maxSurge ${surgeOf(strategy)} runs two pods at a rollout, and both mount claim ${claim!.text()}`,
    fix: "Set strategy.type to Recreate, or maxSurge to 0; if many pods may mount that claim, name it in sharedClaims.",
  };
}

const typeOf = (strategy: View) => strategy.at("type").text() ?? "RollingUpdate";

const surgeOf = (strategy: View) => strategy.at("rollingUpdate", "maxSurge").text() ?? "25%";

/** The old pod is gone before the new one starts. A surge in percent rounds up to one pod. */
function stopsFirst(strategy: View): boolean {
  return typeOf(strategy) === "Recreate" || scaled(surgeOf(strategy), 100) === 0;
}
