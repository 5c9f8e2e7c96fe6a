/** Incident 7: a claim that nothing protects, gone with one command. */
import { PersistentVolumeClaim } from "@pulumi/kubernetes/core/v1";
import { claimSpec, namespace, Options } from "../parts";

export default function (options: Options): void {
  const metadata = { name: "backup", namespace: namespace("incident-7", options) };
  new PersistentVolumeClaim("backup", { metadata, spec: claimSpec() }, options);
}
