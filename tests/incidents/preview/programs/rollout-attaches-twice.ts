/** Incident 13: a rollout starts the new pod while the old one holds the volume. */
import { Deployment } from "@pulumi/kubernetes/apps/v1";
import { PersistentVolumeClaim } from "@pulumi/kubernetes/core/v1";
import { claimSpec, labels, mounting, namespace, Options, template, unawaited } from "../parts";

export default function (options: Options): void {
  const metadata = { namespace: namespace("incident-13", options) };
  const { metadata: data } = new PersistentVolumeClaim(
    "data",
    { metadata: { name: "data", ...metadata, ...unawaited }, spec: claimSpec() },
    { ...options, protect: true },
  );
  const spec = {
    selector: { matchLabels: labels("web") },
    template: data.name.apply((name) => template("web", mounting(name))),
  };
  new Deployment("web", { metadata: { name: "web", ...metadata }, spec }, options);
}
