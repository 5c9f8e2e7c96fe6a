/** Two workloads mount one claim, and only `up` will know its name. */
import { Deployment } from "@pulumi/kubernetes/apps/v1";
import { Job } from "@pulumi/kubernetes/batch/v1";
import { labels, later, mounting, namespace, Options, template, unawaited } from "../parts";

export default function (options: Options): void {
  const metadata = { namespace: namespace("unknown", options), ...unawaited };
  const pod = later("data").apply((name) => mounting(name));
  const web = {
    strategy: { type: "Recreate" },
    selector: { matchLabels: labels("web") },
    template: { ...template("web"), spec: pod },
  };
  new Deployment("web", { metadata: { name: "web", ...metadata }, spec: web }, options);
  const spec = pod.apply((pod) => ({ restartPolicy: "Never", ...pod }));
  const job = { template: { ...template("job"), spec } };
  new Job("job", { metadata: { name: "job", ...metadata }, spec: job }, options);
}
