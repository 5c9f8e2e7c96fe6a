/** Incident 5: the backup's account has no Role, so its token is of no use but to an intruder. */
import { CronJob } from "@pulumi/kubernetes/batch/v1";
import { ServiceAccount } from "@pulumi/kubernetes/core/v1";
import { bounded, namespace, Options, pod } from "../parts";

export default function (options: Options): void {
  const metadata = { name: "backup", namespace: namespace("incident-5", options) };
  new ServiceAccount("backup", { metadata }, options);
  const account = { serviceAccountName: "backup", automountServiceAccountToken: true };
  new CronJob("backup", { metadata, spec: bounded("backup", pod(account)) }, options);
}
