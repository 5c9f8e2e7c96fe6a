/** Incident 14: one of one pod must stay, so no node can be drained. */
import { Deployment } from "@pulumi/kubernetes/apps/v1";
import { PodDisruptionBudget } from "@pulumi/kubernetes/policy/v1";
import { labels, namespace, Options, template } from "../parts";

export default function (options: Options): void {
  const metadata = { name: "web", namespace: namespace("incident-14", options) };
  const selector = { matchLabels: labels("web") };
  new Deployment("web", { metadata, spec: { selector, template: template("web") } }, options);
  new PodDisruptionBudget("web", { metadata, spec: { selector, minAvailable: 1 } }, options);
}
