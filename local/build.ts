/**
 * What a tier is made of, built with its progress on a terminal and plain lines elsewhere. As a
 * command, `tsx local/build.ts api|node`, it builds all of a tier: before tests, because a test's own
 * time limit is not made for a machine on which nothing was built yet.
 */
import { Argument, Command } from "commander";
import { Listr, PRESET_TIMER, type ListrTask } from "listr2";
import * as artefacts from "./artefacts";
import { installedPulumi } from "./engine-path";
import { runCommand } from "./errors";
import { imageSources, systems } from "./node/images";
import { nodeRefusal } from "./node/tier";
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

async function tasks(
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

if (require.main === module) {
  runCommand(async () => {
    await new Command("tsx local/build.ts")
      .description("Builds what a tier is made of.")
      .addArgument(
        new Argument("<tier>", "the API server's, or a real node's").choices(["api", "node"]),
      )
      .action(async (tier: string) => {
        const node = tier === "node" && nodeRefusal() === undefined;
        await runTasks([
          ...(await commandTasks({ cluster: true, node })),
          ...(tier === "api" ? await tasks([artefacts.actionlint], {}) : []),
          ...(node ? await systemTasks() : []),
        ]);
      })
      .parseAsync();
  });
}
