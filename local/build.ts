/**
 * What a cluster and its engine are made of, built with its progress on a terminal and plain lines
 * elsewhere. Before tests all of it: a test's own time limit is not made for a machine on which nothing
 * was built yet.
 */
import { Listr, PRESET_TIMER, type ListrTask } from "listr2";
import * as artefacts from "./artefacts";
import { installedPulumi } from "./engine-path";
import { imageSources, systems } from "./node/images";
import { elapsedReport } from "./progress";
import { ensureArtefact, isBuilt } from "./toolchain";

const engineParts = [artefacts.pulumiCli, artefacts.languageHost, artefacts.kubernetesProvider];
const clusterParts = [
  artefacts.etcd,
  artefacts.kubernetes,
  artefacts.kwok,
  artefacts.customResources,
];
const nodeParts = [artefacts.nodeTools, artefacts.coredns, artefacts.policies];

/** Which of the commands are needed. */
export interface Wanted {
  /** The API server, its controllers and simulated nodes. */
  cluster: boolean;
  /** What a node runs beside its pods. */
  node: boolean;
}

/** A task for each command that was not built yet; the engine's, unless Pulumi is installed. */
export async function commandTasks({ cluster, node }: Wanted): Promise<ListrTask[]> {
  const parts = [
    ...((await installedPulumi()) ? [] : engineParts),
    ...(cluster ? clusterParts : []),
    ...(node ? nodeParts : []),
  ];
  return tasks(parts, {});
}

/**
 * A task for each root file system that was not built yet: the node's, and those of the stand-ins for
 * the site's images, unless it turns out by then that the official ones are there.
 */
export async function systemTasks(official = () => false): Promise<ListrTask[]> {
  const { node, ...images } = systems;
  const options = { sources: imageSources };
  const standIns = await tasks(Object.values(images), options);
  return [
    ...(await tasks([node], options)),
    ...standIns.map((task): ListrTask => ({ ...task, skip: official })),
  ];
}

/** A task for each of these that was not built yet. */
export async function tasks(
  parts: artefacts.Artefact[],
  options: { sources?: string },
): Promise<ListrTask[]> {
  const missing: ListrTask[] = [];
  for (const part of parts) {
    if (!(await isBuilt(part, options))) {
      missing.push({
        title: `Build ${part.title}`,
        task: async (_, task) => {
          await ensureArtefact(part, { ...options, report: elapsedReport(task) });
        },
      });
    }
  }
  return missing;
}

/** Runs tasks one after the other. */
export async function runTasks(list: ListrTask[]): Promise<void> {
  await new Listr(list, {
    fallbackRenderer: "simple",
    fallbackRendererCondition: () => !process.stdout.isTTY || Boolean(process.env.CI),
    rendererOptions: { timer: PRESET_TIMER },
    fallbackRendererOptions: { timer: PRESET_TIMER },
  }).run();
}
