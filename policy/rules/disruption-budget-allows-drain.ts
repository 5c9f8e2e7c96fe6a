/**
 * A budget never blocks a node drain, by the eviction API's own arithmetic.
 *
 * The old budget asked for one available pod of a Deployment with one replica: every drain waited
 * for ever (incident 14). Counted are the replicas that an autoscaler may go down to; two budgets on
 * one pod always block (the API answers 500); a Job's or DaemonSet's pods have no scale, and one of
 * them makes a relative budget fail for all.
 */
import { z } from "zod";
import { KubeObject } from "../core/objects";
import { scaled } from "../core/quantity";
import { Fault, Judge, stackRule } from "../core/rule";
import { hasScale, Scales } from "../core/scale";
import { Selector } from "../core/selectors";
import { settings } from "../core/settings";
import { push, Stack } from "../core/stack";
import { Workload } from "../core/workloads";

export default stackRule({
  name: "disruption-budget-allows-drain",
  title: "A disruption budget lets a node drain",
  description: "A PodDisruptionBudget always allows at least one eviction.",
  level: "mandatory",
  severity: "high",
  incidents: [14],
  remediation:
    "Use maxUnavailable 1 (with unhealthyPodEvictionPolicy AlwaysAllow), one budget a pod.",
  url: "https://kubernetes.io/docs/tasks/run-application/configure-pdb/",
  settings: settings({
    requireAlwaysAllow: z
      .boolean()
      .default(false)
      .describe("also demand unhealthyPodEvictionPolicy AlwaysAllow, so that a broken pod can go"),
  }),

  checkStack(stack, judge, { requireAlwaysAllow }) {
    const scales = new Scales(stack);
    const budgets = stack.all("PodDisruptionBudget");
    for (const budget of budgets) {
      judge(budget, () => arithmetic(budget, stack, scales));
      if (requireAlwaysAllow) {
        judge(budget, () => brokenPods(budget));
      }
    }
    judgeOverlaps(budgets, stack, judge);
  },
});

/** policy/v1 selects everything with an empty selector, v1beta1 nothing; none at all selects nothing. */
function selected(budget: KubeObject, stack: Stack) {
  const view = budget.view.at("spec", "selector");
  const nothing = view.isAbsent() || (budget.version === "v1beta1" && view.isEmpty());
  return nothing ? undefined : stack.selected(Selector.of(view), budget.namespace());
}

/** A drain leaves DaemonSet pods alone, and pods of nothing else can be evicted from a scale of 0. */
const isDrained = (workload: Workload) => workload.kind !== "DaemonSet";

function arithmetic(budget: KubeObject, stack: Stack, scales: Scales): Fault | undefined {
  const picked = selected(budget, stack);
  if (!picked || (picked.sure.length === 0 && picked.open.length === 0)) {
    return undefined;
  }
  if (picked.open.length > 0) {
    throw picked.open[0].unknown;
  }
  const pods = picked.sure;
  if (!pods.some(isDrained)) {
    return undefined;
  }
  const spec = budget.view.at("spec");
  const maxUnavailable = spec.at("maxUnavailable").text();
  const minAvailable = spec.at("minAvailable").text();
  const counts = maxUnavailable !== undefined || minAvailable?.endsWith("%");
  const unscaled = pods.find((w) => !hasScale(w) && w.kind !== "Pod");
  if (counts && unscaled) {
    return blocks(
      "selector",
      `it selects pods of ${unscaled.object.words}, which has no scale to count from, so the controller allows no eviction at all`,
    );
  }
  if (maxUnavailable !== undefined) {
    return scaled(maxUnavailable, 100) !== 0 || scale(pods, scales) === 0
      ? undefined
      : blocks("maxUnavailable", `${maxUnavailable} allows no eviction`);
  }
  if (minAvailable === undefined) {
    return blocks(
      "maxUnavailable",
      "neither maxUnavailable nor minAvailable is set, which allows no eviction",
    );
  }
  const total = scale(pods, scales);
  const needed = scaled(minAvailable, total);
  return total === 0 || (needed !== undefined && needed < total)
    ? undefined
    : blocks("minAvailable", `${minAvailable} of ${total} pods allows no eviction`);
}

function scale(pods: Workload[], scales: Scales): number {
  return pods
    .map((w) => (hasScale(w) ? scales.smallest(w) : w.kind === "CronJob" ? 0 : 1))
    .reduce((sum, count) => sum + count, 0);
}

function blocks(field: string, found: string): Fault {
  return {
    at: `spec.${field}`,
    found: `${found}: a node drain waits for ever`,
    fix: "Set maxUnavailable to 1, or run more replicas than minAvailable asks for, and select one scaled workload.",
  };
}

function brokenPods(budget: KubeObject): Fault | undefined {
  const policy = budget.view.at("spec", "unhealthyPodEvictionPolicy").text() ?? "IfHealthyBudget";
  return policy === "AlwaysAllow"
    ? undefined
    : {
        at: "spec.unhealthyPodEvictionPolicy",
        found: `${policy} keeps a broken pod from being evicted while too few are healthy`,
        fix: "Set it to AlwaysAllow.",
      };
}

/** Two budgets on one pod: told on the one that selects more, else on the later by URN. */
function judgeOverlaps(budgets: KubeObject[], stack: Stack, judge: Judge): void {
  const perPod = new Map<KubeObject, KubeObject[]>();
  const width = new Map<KubeObject, number>();
  for (const budget of budgets) {
    judge(budget, () => {
      const picked = selected(budget, stack);
      const drained = (picked?.sure ?? []).filter(isDrained);
      width.set(budget, drained.length);
      drained.forEach((workload) => push(perPod, workload.object, budget));
      if (budgets.length > 1 && picked && picked.open.length > 0) {
        throw picked.open[0].unknown;
      }
    });
  }
  for (const [pod, on] of perPod) {
    const [first, ...others] = on.sort((a, b) => width.get(a)! - width.get(b)!);
    for (const other of others) {
      judge(other, () =>
        blocks(
          "selector",
          `${pod.words} has a second budget, ${first.words}; the API refuses to evict such a pod (500)`,
        ),
      );
    }
  }
}
