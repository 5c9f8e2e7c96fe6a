/**
 * Every container states what it needs and what it may take at most.
 *
 * A pod without limits takes the node's memory with it, one without requests is packed onto a full
 * node; PHP's own limit means nothing without the container's (incident 15). Limits count as requests
 * where none are stated, as on the server. Jobs only get an advisory.
 */
import * as z from "zod";
import { View } from "../core/data";
import { parseQuantity } from "../core/quantity";
import { Fault, resourceRule } from "../core/rule";
import { settings } from "../core/settings";
import { eachContainer, Workload, workloadOf } from "../core/workloads";

export default resourceRule({
  name: "containers-declare-resources",
  title: "Containers declare resources",
  description: "Every container states requests for CPU and memory and a limit for memory.",
  level: "mandatory",
  severity: "medium",
  incidents: [15],
  remediation: "Set resources.requests.cpu, resources.requests.memory and resources.limits.memory.",
  url: "https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/",
  settings: settings({
    requireCpuLimit: z.boolean().default(false).describe("demand resources.limits.cpu as well"),
  }),

  check(object, judge, { requireCpuLimit }) {
    const workload = workloadOf(object);
    if (!workload) {
      return;
    }
    const wanted = [
      ["requests", "cpu"],
      ["requests", "memory"],
      ["limits", "memory"],
      ...(requireCpuLimit ? [["limits", "cpu"]] : []),
    ];
    eachContainer(workload, judge, (container) => {
      // Ephemeral containers share what the pod has and may state nothing.
      if (container.slot() === "ephemeral") {
        return;
      }
      for (const [side, resource] of wanted) {
        judge(object, () => undeclared(container.view, workload, side, resource));
      }
      for (const resource of ["cpu", "memory"]) {
        judge(object, () => contradiction(container.view.at("resources"), resource, workload));
      }
    });
  },
});

/** Resources of the whole pod (spec.resources) cover containers that state none. */
function undeclared(
  container: View,
  workload: Workload,
  side: string,
  resource: string,
): Fault | undefined {
  const at = container.at("resources", side, resource);
  // A limit counts as the request, and the whole pod's as the container's.
  const sources = [side, "limits"].flatMap((one) =>
    [container, workload.spec].map((view) => view.at("resources", one, resource)),
  );
  for (const source of sources) {
    const value = source.text();
    if (value !== undefined) {
      return parseQuantity(value) === undefined
        ? fault(source, `"${value}" is no quantity`, workload)
        : undefined;
    }
  }
  return fault(at, `container ${container.at("name").text()} does not state it`, workload);
}

/** The API server refuses it, but only when the pod is made. */
function contradiction(resources: View, resource: string, workload: Workload): Fault | undefined {
  const [request, limit] = ["requests", "limits"].map((side) =>
    parseQuantity(resources.at(side, resource).text()),
  );
  // One that is not stated is neither more nor less.
  return request! > limit!
    ? fault(resources.at("requests", resource), "it is more than the limit", workload)
    : undefined;
}

function fault(at: View, found: string, workload: Workload): Fault {
  const fix = "State a quantity such as 50m for CPU and 128Mi for memory.";
  return { at, found, fix, advisory: !workload.serves };
}
