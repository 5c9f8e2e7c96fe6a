/** Runs the program that INCIDENT names, against the cluster that KUBECONFIG_FILE is of. */
import { readFileSync } from "node:fs";
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

export = async (): Promise<void> => {
  const { default: program } = await import(`./programs/${name}.ts`);
  program(options);
};
