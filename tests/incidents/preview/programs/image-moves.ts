/** Incident 20: an image whose tag moves, so that nobody knows which Matomo runs. */
import { Deployment } from "@pulumi/kubernetes/apps/v1";
import { container, labels, namespace, Options, pod, template } from "../parts";

export default function (options: Options): void {
  const metadata = { name: "web", namespace: namespace("incident-20", options) };
  const spec = {
    selector: { matchLabels: labels("web") },
    template: template("web", pod({ containers: [container({ image: "matomo:latest" })] })),
  };
  new Deployment("web", { metadata, spec }, options);
}
