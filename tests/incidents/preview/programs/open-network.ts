/** Decision 6: a namespace whose pods anybody may reach. */
import { Deployment } from "@pulumi/kubernetes/apps/v1";
import { Namespace } from "@pulumi/kubernetes/core/v1";
import { labels, Options, template } from "../parts";

export default function (options: Options): void {
  const { metadata: made } = new Namespace("open", { metadata: { name: "open-network" } }, options);
  const metadata = { name: "web", namespace: made.name };
  const selector = { matchLabels: labels("web") };
  new Deployment("web", { metadata, spec: { selector, template: template("web") } }, options);
}
