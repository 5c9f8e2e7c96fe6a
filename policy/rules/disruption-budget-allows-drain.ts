/**
 * A budget never blocks a node drain, by the eviction API's own arithmetic.
 *
 * The old budget asked for one available pod of a Deployment with one replica: every drain waited
 * for ever (incident 14). Counted are the replicas that an autoscaler may go down to; two budgets on
 * one pod always block (the API answers 500); what is scaled from nothing counts while it runs; a Job's
 * or DaemonSet's pods have no scale, and one of them makes a relative budget fail for all.
 */
import * as z from "zod";
import { View } from "../core/data";
import { orElse } from "../core/logic";
import { KubeObject } from "../core/objects";
import { scaled } from "../core/quantity";
import { Fault, Judge, stackRule } from "../core/rule";
import { hasPods, hasScale, Scales } from "../core/scale";
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
    judgeOverlaps(budgets, stack, judge, scales);
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
  if (!picked) {
    return undefined;
  }
  const { sure, open } = picked;
  const isAtStake = sure.some(isDrained);
  const fault = isAtStake ? certain(budget, sure, scales) : undefined;
  if (!fault && open.length > 0) {
    throw open[0].unknown;
  }
  return fault ?? (isAtStake ? available(budget, sure, scales) : undefined);
}

/** What allows no eviction whatever other pods the budget may select. */
function certain(budget: KubeObject, pods: Workload[], scales: Scales): Fault | undefined {
  const spec = budget.view.at("spec");
  const maxUnavailable = spec.at("maxUnavailable").text();
  const minAvailable = spec.at("minAvailable").text();
  const unscaled = pods.find((w) => !hasScale(w) && w.kind !== "Pod");
  if (counts(spec) && unscaled) {
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
  return minAvailable === undefined
    ? blocks(
        "maxUnavailable",
        "neither maxUnavailable nor minAvailable is set, which allows no eviction",
      )
    : undefined;
}

/** The rest of the arithmetic, which needs every pod. */
function available(budget: KubeObject, pods: Workload[], scales: Scales): Fault | undefined {
  const spec = budget.view.at("spec");
  // The controller counts what it expects from scales alone, and takes none for nothing expected.
  if (counts(spec) && pods.every((w) => w.kind === "Pod")) {
    return blocks(
      "selector",
      "it selects bare Pods alone, which have no scale to count from, so the controller allows no eviction at all",
    );
  }
  const minAvailable = spec.at("minAvailable").text();
  if (minAvailable === undefined) {
    return undefined;
  }
  const running = scale(pods, scales);
  if (running === 0) {
    return undefined;
  }
  const expected = counts(spec) ? scaleBy(counter(pods, scales), pods.filter(hasScale)) : running;
  return (scaled(minAvailable, expected) ?? running) < running
    ? undefined
    : blocks("minAvailable", `${minAvailable} of ${running} pods allows no eviction`);
}

/** Whether the controller counts what it expects, from the scales of the pods' owners. */
function counts(spec: View): boolean {
  return (
    spec.at("maxUnavailable").text() !== undefined ||
    (spec.at("minAvailable").text()?.endsWith("%") ?? false)
  );
}

/**
 * The pods at the least; where that is none, at the most: what is scaled from nothing is drained while
 * it runs, and a budget that even then lets none go blocks for ever.
 */
function scale(pods: Workload[], scales: Scales): number {
  return scaleBy(counter(pods, scales), pods);
}

type Count = (workload: Workload) => number;

function counter(pods: Workload[], scales: Scales): Count {
  const smallest: Count = (w) => scales.smallest(w);
  return scaleBy(smallest, pods) > 0 ? smallest : (w) => scales.largest(w);
}

function scaleBy(count: Count, pods: Workload[]): number {
  return pods
    .map((w) => (hasScale(w) ? count(w) : w.kind === "CronJob" ? 0 : 1))
    .reduce((sum, running) => sum + running, 0);
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

/**
 * Two budgets on one pod, as far as it is known (arithmetic tells the rest): told on the one that
 * selects more, else on the later by URN.
 */
function judgeOverlaps(budgets: KubeObject[], stack: Stack, judge: Judge, scales: Scales): void {
  const perPod = new Map<KubeObject, KubeObject[]>();
  const width = new Map<KubeObject, number>();
  for (const budget of budgets) {
    judge(budget, () => {
      const picked = selected(budget, stack);
      const runs = (w: Workload) => orElse(() => hasPods(w, scales), true);
      const drained = (picked?.sure ?? []).filter((w) => isDrained(w) && runs(w));
      width.set(budget, drained.length);
      drained.forEach((workload) => push(perPod, workload.object, budget));
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
