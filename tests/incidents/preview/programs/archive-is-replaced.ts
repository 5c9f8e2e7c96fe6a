/** Incident 4: a new archive run kills the one that is still at work. */
import { CronJob } from "@pulumi/kubernetes/batch/v1";
import { bounded, namespace, Options, pod } from "../parts";

export default function (options: Options): void {
  const metadata = { name: "archive", namespace: namespace("incident-4", options) };
  const spec = bounded("archive", pod(), { concurrencyPolicy: "Replace" });
  new CronJob("archive", { metadata, spec }, options);
}
