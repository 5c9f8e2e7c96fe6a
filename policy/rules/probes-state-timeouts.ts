/**
 * Every probe has a timeout that a busy site can meet.
 *
 * Kubernetes gives a probe one second when nothing is stated; a page that takes two under load then
 * takes the site down. Stated or defaulted, one second is too short. Jobs only get an advisory;
 * probes of init containers that end are refused by the API and not looked at.
 */
import * as z from "zod";
import { View } from "../core/data";
import { Fault, Judge, resourceRule } from "../core/rule";
import { settings } from "../core/settings";
import { Container, eachContainer, Workload, workloadOf } from "../core/workloads";

const ownSettings = settings({
  minTimeoutSeconds: z.int().min(1).default(2).describe("shortest timeout of a probe"),
  requireReadiness: z
    .boolean()
    .default(false)
    .describe("also demand a readiness probe of every container that serves a port"),
});

type Settings = z.infer<typeof ownSettings>;

const PROBES = ["livenessProbe", "readinessProbe", "startupProbe"];

export default resourceRule({
  name: "probes-state-timeouts",
  title: "Probes state their timeout",
  description: "Every probe states a timeout, longer than Kubernetes' default of one second.",
  level: "mandatory",
  severity: "medium",
  incidents: [],
  remediation: "Set timeoutSeconds of every probe to what the slowest good answer takes.",
  url: "https://kubernetes.io/docs/tasks/configure-pod-container/configure-liveness-readiness-startup-probes/#configure-probes",
  settings: ownSettings,

  check(object, judge, settings) {
    const workload = workloadOf(object);
    if (!workload) {
      return;
    }
    eachContainer(workload, judge, (container) => {
      if (hasProbe(container.view) && ["main", "sidecar"].includes(container.slot())) {
        judgeProbes(container, workload, judge, settings);
      }
      if (settings.requireReadiness && workload.serves && container.slot() === "main") {
        return notReady(container.view);
      }
      return undefined;
    });
  },
});

/** Only probes, known or not, make the container's slot matter. */
function hasProbe(container: View): boolean {
  return PROBES.some((probe) => !container.at(probe).isKnown || !container.at(probe).isAbsent());
}

function judgeProbes(
  container: Container,
  workload: Workload,
  judge: Judge,
  { minTimeoutSeconds }: Settings,
): void {
  for (const name of PROBES) {
    judge(workload.object, () => short(container.view.at(name), minTimeoutSeconds, workload));
  }
}

function short(probe: View, minimum: number, workload: Workload): Fault | undefined {
  if (probe.isAbsent()) {
    return undefined;
  }
  const at = probe.at("timeoutSeconds");
  const seconds = at.number() ?? 1;
  return seconds >= minimum
    ? undefined
    : {
        at,
        found: `the probe waits ${seconds} s, and a slow answer counts as none`,
        fix: `State ${minimum} or more.`,
        advisory: !workload.serves,
      };
}

function notReady(container: View): Fault | undefined {
  return container.at("ports").isEmpty() || !container.at("readinessProbe").isAbsent()
    ? undefined
    : {
        at: container.at("readinessProbe"),
        found: `container ${container.at("name").text()} serves a port and has none`,
        fix: "Add one, or requests reach a pod that cannot answer yet.",
      };
}
