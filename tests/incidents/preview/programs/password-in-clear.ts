/** Incident 12's other half: the password stands in the pod's environment for all to read. */
import { Deployment } from "@pulumi/kubernetes/apps/v1";
import { container, labels, namespace, Options, pod, template } from "../parts";

export default function (options: Options): void {
  const metadata = { name: "web", namespace: namespace("incident-12b", options) };
  const env = [{ name: "MATOMO_DATABASE_PASSWORD", value: "hunter2" }];
  const spec = {
    selector: { matchLabels: labels("web") },
    template: template("web", pod({ containers: [container({ env })] })),
  };
  new Deployment("web", { metadata, spec }, options);
}
