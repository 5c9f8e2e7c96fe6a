/**
 * `npm start`: from a checkout to a deployed site. The engine and the cluster are built if need be,
 * started if they do not run, and the stack `local` is deployed; what is there already stays.
 */
import { Command } from "commander";
import { ExecaError } from "execa";
import { Listr, PRESET_TIMER, type ListrTask } from "listr2";
import * as artefacts from "./artefacts";
import { startCluster } from "./cluster";
import { openDeployment, ownKubeconfig } from "./deployment";
import { installedPulumi } from "./engine-path";
import { runCommand, UserError } from "./errors";
import { defaultStateFolder } from "./paths";
import { elapsedReport } from "./progress";
import { ensureArtefact, isBuilt } from "./toolchain";

const engineParts = [artefacts.pulumiCli, artefacts.languageHost, artefacts.kubernetesProvider];
const clusterParts = [
  artefacts.etcd,
  artefacts.kubernetes,
  artefacts.kwok,
  artefacts.customResources,
];

const program = new Command("npm start --")
  .description("Deploys the stack `local`: the engine, a cluster, a site.")
  .option("--context <name>", "use this context of your own kubeconfig, not the embedded cluster")
  .action((options: { context?: string }) => start(options.context));

runCommand(async () => {
  await program.parseAsync();
});

async function start(context: string | undefined): Promise<void> {
  const started = Date.now();
  if (context !== undefined) {
    // Before anything is built for a name that was mistyped.
    ownKubeconfig(context);
  }
  await prepare(context === undefined);
  const deployment = await openDeployment(context);
  // The preview within `up` would run the whole program a second time.
  await deployment.pulumi("local", ["up", "--yes", "--skip-preview"]).catch((error: unknown) => {
    const option = context === undefined ? "" : ` --context ${context}`;
    throw error instanceof ExecaError
      ? new UserError(
          "The deployment failed, for the reason above; npm start goes on from there. " +
            "After a run that was killed, first give up its lock: " +
            `npm run local -- pulumi${option} cancel --yes`,
        )
      : error;
  });
  console.log(nextSteps(context, Math.round((Date.now() - started) / 1000)));
}

/** Builds and starts what is needed, with its progress on a terminal and plain lines elsewhere. */
async function prepare(embedded: boolean): Promise<void> {
  const installed = await installedPulumi();
  const parts = [...(installed ? [] : engineParts), ...(embedded ? clusterParts : [])];
  const tasks: ListrTask[] = [];
  for (const part of parts) {
    if (!(await isBuilt(part))) {
      tasks.push({
        title: `Build ${part.title}`,
        task: async (_, task) => {
          await ensureArtefact(part, { report: elapsedReport(task) });
        },
      });
    }
  }
  if (embedded) {
    tasks.push({
      title: "Embedded cluster",
      task: async (_, task) => {
        await startCluster(defaultStateFolder, { report: elapsedReport(task) });
      },
    });
  }
  await new Listr(tasks, {
    fallbackRenderer: "simple",
    fallbackRendererCondition: () => !process.stdout.isTTY || Boolean(process.env.CI),
    rendererOptions: { timer: PRESET_TIMER },
    fallbackRendererOptions: { timer: PRESET_TIMER },
  }).run();
}

function nextSteps(context: string | undefined, seconds: number): string {
  const option = context === undefined ? "" : ` --context ${context}`;
  return [
    "",
    `Done in ${seconds} s. What to try next:`,
    `  npm run local -- kubectl${option} get pods --namespace matomo`,
    `  npm run local -- pulumi${option} preview --diff`,
    ...(context === undefined
      ? ["  npm stop         ends the cluster and keeps its data", "  npm run clean    removes it"]
      : []),
  ].join("\n");
}
