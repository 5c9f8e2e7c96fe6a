/** Not an incident yet: two workloads mount a claim whose name only `up` will know. */
import { Deployment } from "@pulumi/kubernetes/apps/v1";
import { Job } from "@pulumi/kubernetes/batch/v1";
import { interpolate, unsecret } from "@pulumi/pulumi";
import { RandomPassword } from "@pulumi/random/randomPassword";
import { labels, mounting, namespace, Options, template } from "../parts";

export default function (options: Options): void {
  const metadata = { namespace: namespace("unknown", options) };
  const seed = new RandomPassword("seed", { length: 5, special: false }, { protect: true });
  const claim = interpolate`claim-${unsecret(seed.result)}`.apply((name) => name.toLowerCase());
  const spec = claim.apply((name) => mounting(name));
  const selector = { matchLabels: labels("web") };
  const web = { strategy: { type: "Recreate" }, selector };
  new Deployment(
    "web",
    {
      metadata: { name: "web", ...metadata },
      spec: { ...web, template: { ...template("web"), spec } },
    },
    options,
  );
  const job = spec.apply((pod) => ({ restartPolicy: "Never", ...pod }));
  new Job(
    "job",
    {
      metadata: { name: "job", ...metadata, annotations: { "pulumi.com/skipAwait": "true" } },
      spec: { template: { ...template("job"), spec: job } },
    },
    options,
  );
}
