/** Incident 1 in another form: one policy for the pods of two components. */
import { Deployment } from "@pulumi/kubernetes/apps/v1";
import { NetworkPolicy } from "@pulumi/kubernetes/networking/v1";
import { COMPONENT, labels, namespace, Options, template } from "../parts";

export default function (options: Options): void {
  const metadata = { namespace: namespace("incident-1b", options) };
  for (const component of ["web", "mariadb"]) {
    const spec = {
      selector: { matchLabels: labels(component) },
      template: template(component),
    };
    new Deployment(component, { metadata: { name: component, ...metadata }, spec }, options);
  }
  const both = { key: COMPONENT, operator: "In", values: ["web", "mariadb"] };
  const spec = { podSelector: { matchExpressions: [both] }, policyTypes: ["Ingress"] };
  new NetworkPolicy("both", { metadata: { name: "both", ...metadata }, spec }, options);
}
