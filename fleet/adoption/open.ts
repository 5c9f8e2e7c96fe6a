/** What an adoption works with: a stack's settings, cluster, state and saved file. */
import * as path from "node:path";
import kubernetes from "@pulumi/kubernetes/package.json";
import random from "@pulumi/random/package.json";
import type { Settings } from "../../components/settings";
import { NAMES } from "../../components/labels";
import { connect, fromProject } from "../cluster";
import { stackEngine } from "../engine";
import type { Fleet } from "../fleet";
import { JournalFile } from "../journal";
import { readFacts } from "../repair/facts";
import { judge } from "../repair/judge";
import type { Progress } from "../run";
import { projectName, readSettings, type Stack } from "../stacks";
import type { AdoptArgs } from "./adopt";
import { type Execute, executor } from "../execute";

const CLAIMS = [NAMES.dataClaim, NAMES.databaseClaim, NAMES.backupClaim];

export async function openAdoption(
  fleet: Fleet,
  stack: Stack,
  policyPack: string,
  progress: Progress,
  /** How commands run in pods. Default: as kubectl exec does. */
  execute?: Execute,
): Promise<Omit<AdoptArgs, "step">> {
  const settings = await readSettings(fleet, stack);
  const cluster = await connect(fleet, settings.cluster);
  const findings = (await readFacts(cluster, CLAIMS)).map(judge);
  const { kubeconfig, config, doks } = cluster;
  return {
    stack: stack.name,
    project: await projectName(fleet),
    settings: fromAnywhere(fleet, settings),
    ...{ kubeconfig, config, doks, findings, execute: execute ?? executor(config) },
    engine: stackEngine(fleet, stack, policyPack, progress),
    journal: new JournalFile(path.join(fleet.stacks, ".adoption"), stack.name),
    // Versions of Pulumi's SDKs, which name their default providers in the state.
    versions: { random: random.version, kubernetes: kubernetes.version },
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
