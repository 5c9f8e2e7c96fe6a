/**
 * What a Kubernetes API server adds to an object: the second shape in which a preview passes one to
 * the rules. Every row of every table is judged in both.
 */
import type { RawResource } from "../../../policy/core/objects";
import { get, Tree } from "./edit";

const PROBE = { timeoutSeconds: 1, periodSeconds: 10, successThreshold: 1, failureThreshold: 3 };

/** Fills in what is absent; what the program states, unknown values too, stays. */
function fill(at: Tree | undefined, defaults: Tree): void {
  if (typeof at !== "object" || at === null) {
    return;
  }
  for (const [key, value] of Object.entries(defaults)) {
    at[key] ??= value;
  }
}

function list(value: unknown): Tree[] {
  return Array.isArray(value) ? value : [];
}

function fillContainer(container: Tree): void {
  fill(container, {
    terminationMessagePath: "/dev/termination-log",
    imagePullPolicy: "IfNotPresent",
  });
  for (const probe of ["livenessProbe", "readinessProbe", "startupProbe"]) {
    fill(container[probe], PROBE);
  }
  list(container.ports).forEach((port) => fill(port, { protocol: "TCP" }));
  const limits = container.resources?.limits;
  if (limits && typeof limits === "object") {
    container.resources.requests ??= {};
    fill(container.resources.requests, limits);
  }
}

function fillPod(spec: Tree | undefined): void {
  fill(spec, {
    restartPolicy: "Always",
    dnsPolicy: "ClusterFirst",
    schedulerName: "default-scheduler",
    terminationGracePeriodSeconds: 30,
    securityContext: {},
  });
  for (const volume of list(spec?.volumes)) {
    const types = Object.keys(volume ?? {}).filter((key) => (volume[key] ?? null) !== null);
    fill(volume, types.join() === "name" ? { emptyDir: {} } : {});
  }
  for (const field of ["initContainers", "containers", "ephemeralContainers"]) {
    list(spec?.[field]).forEach(fillContainer);
  }
}

const FILL: Record<string, (spec: Tree) => void> = {
  Pod: fillPod,
  Deployment: (spec) => {
    fill(spec, { replicas: 1, revisionHistoryLimit: 10, strategy: {} });
    fill(spec.strategy, { type: "RollingUpdate" });
    if (spec.strategy?.type === "RollingUpdate") {
      fill(spec.strategy, { rollingUpdate: {} });
      fill(spec.strategy.rollingUpdate, { maxSurge: "25%", maxUnavailable: "25%" });
    }
    fillPod(spec.template?.spec);
  },
  StatefulSet: (spec) => {
    const kept = { whenDeleted: "Retain", whenScaled: "Retain" };
    fill(spec, { replicas: 1, persistentVolumeClaimRetentionPolicy: {} });
    fill(spec.persistentVolumeClaimRetentionPolicy, kept);
    fillPod(spec.template?.spec);
  },
  ReplicaSet: (spec) => {
    fill(spec, { replicas: 1 });
    fillPod(spec.template?.spec);
  },
  ReplicationController: (spec) => {
    const isWithout = Object.keys(spec.selector ?? {}).length === 0;
    Object.assign(spec, isWithout ? { selector: spec.template?.metadata?.labels } : {});
    fill(spec, { replicas: 1 });
    fillPod(spec.template?.spec);
  },
  DaemonSet: (spec) => fillPod(spec.template?.spec),
  Job: (spec) => {
    fill(spec, { parallelism: 1, completions: 1, backoffLimit: 6, completionMode: "NonIndexed" });
    fillPod(spec.template?.spec);
  },
  CronJob: (spec) => {
    fill(spec, {
      concurrencyPolicy: "Allow",
      suspend: false,
      successfulJobsHistoryLimit: 3,
      failedJobsHistoryLimit: 1,
    });
    const job = get(spec, "jobTemplate.spec") as Tree | undefined;
    if (!job?.backoffLimitPerIndex) {
      fill(job, { backoffLimit: 6 });
    }
    fillPod(job?.template?.spec);
  },
  NetworkPolicy: (spec) => {
    const egress = spec.egress === undefined || spec.egress?.length === 0 ? [] : ["Egress"];
    fill(spec, { policyTypes: ["Ingress", ...egress], podSelector: {} });
    for (const rule of [...list(spec.ingress), ...list(spec.egress)]) {
      list(rule.ports).forEach((port) => fill(port, { protocol: "TCP" }));
    }
  },
  Service: (spec) => fill(spec, { type: "ClusterIP", sessionAffinity: "None" }),
  PersistentVolumeClaim: (spec) => fill(spec, { volumeMode: "Filesystem" }),
  PersistentVolume: (spec) => fill(spec, { persistentVolumeReclaimPolicy: "Retain" }),
  HorizontalPodAutoscaler: (spec) => fill(spec, { minReplicas: 1 }),
};

/** The object as the server's dry run answers it. Patches and other kinds stay as they are. */
export function defaulted(raw: RawResource): RawResource {
  const fillIn = FILL[(raw.props.kind as string) ?? ""];
  if (!fillIn || raw.type.endsWith("Patch") || typeof raw.props.spec !== "object") {
    return raw;
  }
  const props: Tree = structuredClone(raw.props);
  const namespace = raw.props.kind === "PersistentVolume" ? {} : { namespace: "default" };
  props.metadata = { ...namespace, generation: 1, ...props.metadata };
  fillIn(props.spec);
  return { ...raw, props };
}
