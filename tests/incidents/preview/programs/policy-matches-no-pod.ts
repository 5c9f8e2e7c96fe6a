/** Incident 18: the policy's labels are not those of the pods, so it protects nothing. */
import { Deployment } from "@pulumi/kubernetes/apps/v1";
import { NetworkPolicy } from "@pulumi/kubernetes/networking/v1";
import { labels, namespace, Options, template } from "../parts";

export default function (options: Options): void {
  const metadata = { name: "web", namespace: namespace("incident-18", options) };
  const selector = { matchLabels: labels("web") };
  new Deployment("web", { metadata, spec: { selector, template: template("web") } }, options);
  const spec = { podSelector: { matchLabels: labels("frontend") }, policyTypes: ["Ingress"] };
  new NetworkPolicy("web", { metadata, spec }, options);
}
