/**
 * How many pods a workload runs: its replicas, or what its autoscaler may set. The eviction API and
 * the sharing of volumes count these, not the replicas that a program happens to state.
 */
import { NotKnown, View } from "./data";
import { attempt } from "./logic";
import { KubeObject } from "./objects";
import { Stack } from "./stack";
import { Workload } from "./workloads";

/** Kinds with a scale; Jobs, DaemonSets and bare Pods have none. */
const SCALED = new Set(["Deployment", "StatefulSet", "ReplicaSet", "ReplicationController"]);

export const hasScale = (workload: Workload): boolean => SCALED.has(workload.kind);

interface Autoscaler {
  object: KubeObject;
  keda: boolean;
}

export class Scales {
  /** By what they scale: namespace/kind/name. */
  private readonly autoscalers = new Map<string, Autoscaler>();
  private readonly open: NotKnown[] = [];

  constructor(stack: Stack) {
    for (const kind of ["HorizontalPodAutoscaler", "ScaledObject"] as const) {
      for (const object of stack.all(kind)) {
        const target = attempt(() => targetOf(object));
        if (target instanceof NotKnown) {
          this.open.push(target);
        } else if (!this.autoscalers.has(target)) {
          this.autoscalers.set(target, { object, keda: kind === "ScaledObject" });
        }
      }
    }
  }

  /** The smallest number of pods that it is scaled to while it is in use. */
  smallest(workload: Workload): number {
    const scaler = this.autoscaler(workload);
    if (!scaler) {
      return replicas(workload);
    }
    return scaler.keda
      ? (scaler.object.view.at("spec", "minReplicaCount").number() ?? 0)
      : (scaler.object.view.at("spec", "minReplicas").number() ?? 1);
  }

  /** The largest number of pods at a time. */
  largest(workload: Workload): number {
    const scaler = this.autoscaler(workload);
    if (!scaler) {
      return replicas(workload);
    }
    return scaler.keda
      ? (scaler.object.view.at("spec", "maxReplicaCount").number() ?? 100)
      : (scaler.object.view.at("spec", "maxReplicas").number() ?? 1);
  }

  private autoscaler(workload: Workload): Autoscaler | undefined {
    const { object, kind } = workload;
    if (this.autoscalers.size + this.open.length === 0) {
      return undefined;
    }
    const own = this.autoscalers.get(`${object.namespace()}/${kind}/${object.name()}`);
    if (!own && this.open.length > 0) {
      throw this.open[0];
    }
    return own && isAtWork(own, workload) ? own : undefined;
  }
}

/** A HorizontalPodAutoscaler leaves alone what somebody has scaled to nothing; KEDA wakes it. */
function isAtWork({ object, keda }: Autoscaler, workload: Workload): boolean {
  return keda || replicas(workload) > 0 || object.view.at("spec", "minReplicas").number() === 0;
}

/** Whether it ever has a pod: what is scaled to nothing mounts nothing, and nothing is there to evict. */
export function hasPods(workload: Workload, scales: Scales): boolean {
  return !hasScale(workload) || scales.largest(workload) > 0;
}

function targetOf(object: KubeObject): string {
  const ref: View = object.view.at("spec", "scaleTargetRef");
  return `${object.namespace()}/${ref.at("kind").text() ?? "Deployment"}/${ref.at("name").text()}`;
}

function replicas(workload: Workload): number {
  return workload.object.view.at("spec", "replicas").number() ?? 1;
}

/**
 * Why a workload's pods may be two at a time, or undefined when there is never more than one. A
 * StatefulSet's own claims are one for each pod; this is about a claim that all its pods name.
 */
export function runsSeveral(workload: Workload, scales: Scales): string | undefined {
  const spec = workload.object.view.at("spec");
  switch (workload.kind) {
    case "DaemonSet":
      return "a DaemonSet runs one pod on every node";
    case "Job":
      return parallel(spec);
    case "CronJob": {
      const policy = spec.at("concurrencyPolicy").text() ?? "Allow";
      return policy === "Allow"
        ? "concurrencyPolicy Allow runs a second Job beside the first"
        : parallel(spec.at("jobTemplate", "spec"));
    }
    default: {
      const largest = scales.largest(workload);
      return largest > 1 ? `it runs up to ${largest} pods` : undefined;
    }
  }
}

function parallel(job: View): string | undefined {
  const pods = job.at("parallelism").number() ?? 1;
  return pods > 1 && job.at("completions").number() !== 1 ? `parallelism is ${pods}` : undefined;
}
