/** Decision 6: pods as root, which the namespace's Pod Security would only refuse one by one. */
import { Deployment } from "@pulumi/kubernetes/apps/v1";
import { labels, namespace, Options, pod, template } from "../parts";

export default function (options: Options): void {
  const metadata = { name: "web", namespace: namespace("restricted", options) };
  const spec = {
    selector: { matchLabels: labels("web") },
    template: template("web", pod({ securityContext: { runAsUser: 0 } })),
  };
  new Deployment("web", { metadata, spec }, options);
}
