/** Incident 6: finished Jobs are kept by the hundred. */
import { CronJob } from "@pulumi/kubernetes/batch/v1";
import { bounded, namespace, Options, pod } from "../parts";

export default function (options: Options): void {
  const metadata = { name: "archive", namespace: namespace("incident-6", options) };
  const spec = bounded("archive", pod(), { successfulJobsHistoryLimit: 100 });
  new CronJob("archive", { metadata, spec }, options);
}
