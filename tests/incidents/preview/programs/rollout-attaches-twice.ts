/** Incident 13: a rollout starts the new pod while the old one holds the volume. */
import { Deployment } from "@pulumi/kubernetes/apps/v1";
import { labels, mounting, namespace, Options, template } from "../parts";

export default function (options: Options): void {
  const metadata = { name: "web", namespace: namespace("incident-13", options) };
  const spec = {
    selector: { matchLabels: labels("web") },
    template: template("web", mounting("data")),
  };
  new Deployment("web", { metadata, spec }, options);
}
