/**
 * What makes pods: the pod template of a workload, its containers by slot, and the claims that its
 * pods mount.
 */
import { View } from "./data";
import { orElse } from "./logic";
import { Kind, KubeObject } from "./objects";
import type { Fault, Judge } from "./rule";

/** Where each kind keeps its pod template; a bare Pod is its own. */
const TEMPLATES = {
  Deployment: ["spec", "template"],
  StatefulSet: ["spec", "template"],
  DaemonSet: ["spec", "template"],
  ReplicaSet: ["spec", "template"],
  ReplicationController: ["spec", "template"],
  Job: ["spec", "template"],
  CronJob: ["spec", "jobTemplate", "spec", "template"],
  Pod: [],
} satisfies Partial<Record<Kind, string[]>>;

const WORKLOAD_KINDS = Object.keys(TEMPLATES) as Kind[];

/** init: runs before the pod is ready; main; sidecar: an init container that keeps running. */
export type Slot = "init" | "main" | "sidecar" | "ephemeral";

export class Workload {
  readonly spec: View;
  readonly metadata: View;
  readonly labels: View;
  readonly annotations: View;

  constructor(readonly object: KubeObject) {
    const template = object.view.at(...TEMPLATES[object.kind as keyof typeof TEMPLATES]);
    this.spec = template.at("spec");
    this.metadata = template.at("metadata");
    this.labels = this.metadata.at("labels");
    this.annotations = this.metadata.at("annotations");
  }

  get kind(): string {
    return this.object.kind;
  }

  /** Its pods keep running and answer requests; Jobs and CronJobs end. */
  get serves(): boolean {
    return this.kind !== "Job" && this.kind !== "CronJob";
  }

  initContainers(): Container[] {
    return this.in("initContainers");
  }

  mainContainers(): Container[] {
    return this.in("containers");
  }

  ephemeralContainers(): Container[] {
    return this.in("ephemeralContainers");
  }

  private in(field: string): Container[] {
    return this.spec
      .at(field)
      .list()
      .map((view) => new Container(view, field));
  }
}

/** Asks about every container of every slot; a slot that is not known keeps none of the others back. */
export function eachContainer(
  workload: Workload,
  judge: Judge,
  ask: (container: Container) => Fault | undefined | void,
): void {
  const slots = [
    () => workload.initContainers(),
    () => workload.mainContainers(),
    () => workload.ephemeralContainers(),
  ];
  for (const slot of slots) {
    judge(workload.object, () => {
      slot().forEach((container) => judge(workload.object, () => ask(container)));
    });
  }
}

export class Container {
  constructor(
    readonly view: View,
    private readonly field: string,
  ) {}

  slot(): Slot {
    if (this.field === "initContainers") {
      return this.view.at("restartPolicy").text() === "Always" ? "sidecar" : "init";
    }
    return this.field === "containers" ? "main" : "ephemeral";
  }
}

/** The workload that an object is, if it is one that the pack understands. */
export function workloadOf(object: KubeObject): Workload | undefined {
  return object.is(...WORKLOAD_KINDS) ? new Workload(object) : undefined;
}

/**
 * The `claimName` of every claim in the pods' volumes, and of every volume that may turn out to be one;
 * claim templates are not among them.
 */
export function claimNames(workload: Workload): View[] {
  return workload.spec
    .at("volumes")
    .list()
    .map((volume) => volume.at("persistentVolumeClaim"))
    .filter((claim) => orElse(() => !claim.isAbsent(), true))
    .map((claim) => claim.at("claimName"));
}
