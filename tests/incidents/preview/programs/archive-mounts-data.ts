/** Incident 2: the archive job mounts the claim that the web pod holds. */
import { Deployment } from "@pulumi/kubernetes/apps/v1";
import { CronJob } from "@pulumi/kubernetes/batch/v1";
import { PersistentVolumeClaim } from "@pulumi/kubernetes/core/v1";
import { bounded, claimSpec, labels, mounting, namespace, Options, template } from "../parts";

export default function (options: Options): void {
  const metadata = { namespace: namespace("incident-2", options) };
  new PersistentVolumeClaim(
    "data",
    { metadata: { name: "data", ...metadata }, spec: claimSpec() },
    { ...options, protect: true },
  );

  const web = {
    strategy: { type: "Recreate" },
    selector: { matchLabels: labels("web") },
    template: template("web", mounting("data")),
  };
  new Deployment("web", { metadata: { name: "web", ...metadata }, spec: web }, options);
  const archive = bounded("archive", mounting("data"));
  new CronJob("archive", { metadata: { name: "archive", ...metadata }, spec: archive }, options);
}
