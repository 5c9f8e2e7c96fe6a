/**
 * Every pod meets Pod Security `restricted`, told at preview.
 *
 * The namespace enforces it (design decision 6), but admission judges pods, not the Deployments that
 * make them: a template that breaks it is accepted, and its pods then never come up. This asks all
 * of admission's questions about the template, for the cluster's Kubernetes version.
 */
import * as z from "zod";
import {
  addedCapability,
  appArmorAnnotation,
  Breach,
  containerChecks,
  contextChecks,
  hostNamespaces,
  hostPort,
  PodFacts,
  sysctl,
  volumeType,
} from "../core/pod-security";
import { KubeObject } from "../core/objects";
import { Judge, resourceRule } from "../core/rule";
import { settings } from "../core/settings";
import { Container, eachContainer, workloadOf } from "../core/workloads";

export default resourceRule({
  name: "pods-are-restricted",
  title: "Pods meet Pod Security restricted",
  description: "Every pod template meets Pod Security `restricted`.",
  level: "mandatory",
  severity: "high",
  incidents: [],
  remediation: "Set what the finding names in the pod's or the container's securityContext.",
  url: "https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted",
  settings: settings({
    kubernetesVersion: z
      .string()
      .regex(/^1\.(2[5-9]|[3-9]\d)$/, "must be 1.25 or later, such as 1.34")
      .default("1.34")
      .describe("minor version whose `restricted` is meant"),
    exemptNamespaces: z
      .array(z.string().min(1))
      .default(["kube-system"])
      .describe("namespaces that do not enforce restricted"),
  }),

  check(object, judge, { kubernetesVersion, exemptNamespaces }) {
    const workload = workloadOf(object);
    if (!workload) {
      return;
    }
    judge(object, () => {
      if (exemptNamespaces.includes(object.namespace())) {
        return;
      }
      const minor = Number(kubernetesVersion.slice(2));
      const pod = { workload, spec: workload.spec, minor };
      const ask = asker(object, judge);
      judgePod(pod, ask);
      eachContainer(workload, judge, (container) => judgeContainer(container, pod, ask));
    });
  },
});

type Ask = (question: () => Breach | undefined | void) => void;

const asker =
  (object: KubeObject, judge: Judge): Ask =>
  (question) =>
    judge(object, () => {
      const breach = question();
      return breach && { ...breach, found: `${breach.found} breaks Pod Security restricted` };
    });

function judgePod(pod: PodFacts, ask: Ask): void {
  const { workload, spec, minor } = pod;
  const context = spec.at("securityContext");
  hostNamespaces.forEach((check) => ask(() => check(pod)));
  contextChecks.forEach((check) => ask(() => check(context, pod)));
  ask(() =>
    spec
      .at("volumes")
      .list()
      .forEach((volume) => ask(() => volumeType(volume))),
  );
  ask(() =>
    context
      .at("sysctls")
      .list()
      .forEach((entry) => ask(() => sysctl(entry, minor))),
  );
  ask(() =>
    workload.annotations
      .entries()
      .forEach(([key, value]) => ask(() => appArmorAnnotation(key, value))),
  );
}

function judgeContainer(container: Container, pod: PodFacts, ask: Ask): void {
  const context = container.view.at("securityContext");
  const facts = { ...pod, container, context };
  contextChecks.forEach((check) => ask(() => check(context, pod)));
  containerChecks.forEach((check) => ask(() => check(facts)));
  ask(() =>
    context
      .at("capabilities", "add")
      .list()
      .forEach((capability) => ask(() => addedCapability(capability, pod))),
  );
  ask(() =>
    container.view
      .at("ports")
      .list()
      .forEach((port) => ask(() => hostPort(port))),
  );
}
