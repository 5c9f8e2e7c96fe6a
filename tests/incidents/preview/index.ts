/** Runs the program that INCIDENT names, against the cluster that KUBECONFIG_FILE is of. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { Provider } from "@pulumi/kubernetes/provider";
import type { ComponentResourceOptions, CustomResourceOptions } from "@pulumi/pulumi";

const name = process.env.INCIDENT;
if (name === undefined || !/^[\w-]+$/.test(name)) {
  throw new Error(`INCIDENT is "${name}": name a file of programs/`);
}
const provider = new Provider("cluster", {
  kubeconfig: readFileSync(process.env.KUBECONFIG_FILE!, "utf8"),
});
const options: CustomResourceOptions & ComponentResourceOptions = { provider };

createRequire(__filename)(`./programs/${name}`).default(options);
