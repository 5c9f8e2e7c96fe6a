/** What an adoption works with: a stack's settings, cluster, state and saved file. */
import * as fs from "node:fs";
import * as path from "node:path";
import type { Settings } from "../../components/settings";
import { connect, fromProject } from "../cluster";
import type { Fleet } from "../fleet";
import type { Progress } from "../run";
import { projectName, readSettings, type Stack } from "../stacks";
import type { AdoptArgs } from "./adopt";
import { stackEngine } from "./engine";
import { type Execute, executor } from "./execute";
import { JournalFile } from "./journal";

export async function openAdoption(
  fleet: Fleet,
  stack: Stack,
  policyPack: string,
  progress: Progress,
  /** How commands run in pods. Default: as kubectl exec does. */
  execute?: Execute,
): Promise<Omit<AdoptArgs, "step">> {
  const settings = await readSettings(fleet, stack);
  const { kubeconfig, config, doks } = await connect(fleet, settings.cluster);
  return {
    stack: stack.name,
    project: await projectName(fleet),
    settings: fromAnywhere(fleet, settings),
    ...{ kubeconfig, config, doks, execute: execute ?? executor(config) },
    engine: stackEngine(fleet, stack, policyPack, progress),
    journal: new JournalFile(fleet.stacks, stack.name),
    versions: { random: sdkVersion("random"), kubernetes: sdkVersion("kubernetes") },
    signal: fleet.interrupted,
  };
}

/** A kubeconfig's name is relative to the project, wherever this process runs. */
function fromAnywhere(fleet: Fleet, settings: Settings): Settings {
  const { cluster } = settings;
  if (!("context" in cluster)) return settings;
  const kubeconfig = fromProject(fleet, cluster.kubeconfig);
  return { ...settings, cluster: { ...cluster, kubeconfig } };
}

/** Version of one of Pulumi's SDKs, which names its default provider in the state. */
function sdkVersion(name: string): string {
  const file = path.join(path.dirname(require.resolve(`@pulumi/${name}`)), "package.json");
  return (JSON.parse(fs.readFileSync(file, "utf8")) as { version: string }).version;
}
