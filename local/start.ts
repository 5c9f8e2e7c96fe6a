/**
 * `npm start`: from a checkout to a deployed site. The engine and the cluster are built if need be,
 * started if they do not run, and the stack `local` is deployed; what is there already stays.
 */
import { Command } from "commander";
import { ExecaError } from "execa";
import { Listr, PRESET_TIMER, type ListrTask } from "listr2";
import * as artefacts from "./artefacts";
import { type Cluster, clusterFolder, startCluster } from "./cluster";
import { openDeployment, ownKubeconfig } from "./deployment";
import { installedPulumi } from "./engine-path";
import { runCommand, UserError } from "./errors";
import { imageSources, mariadbImage, matomoImage, systems } from "./node/images";
import { chooseImages, type Choice } from "./node/official-images";
import { countVisits, openSite, recordVisit } from "./node/site";
import { chooseTier, type Tier } from "./node/tier";
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

interface Options {
  context?: string;
  simulated?: boolean;
}

const program = new Command("npm start --")
  .description("Deploys the stack `local`: the engine, a cluster, a site.")
  .option("--context <name>", "use this context of your own kubeconfig, not the embedded cluster")
  .option("--simulated", "simulate the cluster's nodes even where a real one could run")
  .action((options: Options) => start(options));

runCommand(async () => {
  await program.parseAsync();
});

async function start({ context, simulated }: Options): Promise<void> {
  const started = Date.now();
  if (context !== undefined) {
    // Before anything is built for a name that was mistyped.
    ownKubeconfig(context);
  }
  const tier = context === undefined ? chooseTier(defaultStateFolder, simulated) : undefined;
  if (tier) {
    console.log(`This cluster has ${tier.reason}.`);
  }
  const cluster = await prepare(tier);
  const deployment = await openDeployment(context);
  // The preview within `up` would run the whole program a second time.
  await deployment.pulumi("local", ["up", "--yes", "--skip-preview"]).catch((error: unknown) => {
    throw error instanceof ExecaError
      ? new UserError("The deployment failed, for the reason above; npm start goes on from there.")
      : error;
  });
  if (cluster && tier?.node) {
    console.log(await showSite(cluster));
  }
  console.log(nextSteps(context, Math.round((Date.now() - started) / 1000)));
}

/** Builds and starts what is needed, with its progress on a terminal and plain lines elsewhere. */
async function prepare(tier: Tier | undefined): Promise<Cluster | undefined> {
  let cluster: Cluster | undefined;
  const installed = await installedPulumi();
  const parts = [...(installed ? [] : engineParts), ...(tier ? clusterParts : [])];
  if (tier?.node) {
    parts.push(artefacts.nodeTools, artefacts.coredns, artefacts.policies);
  }
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
  let choice: Choice | undefined;
  if (tier?.node) {
    tasks.push({
      title: "Images of the site",
      task: async (_, task) => {
        const names = [matomoImage, mariadbImage];
        choice = await chooseImages(clusterFolder(defaultStateFolder), names, elapsedReport(task));
        task.title += "images" in choice ? ": the official ones" : `: stand-ins, ${choice.refusal}`;
      },
    });
  }
  for (const part of tier?.node ? Object.values(systems) : []) {
    if (!(await isBuilt(part, { sources: imageSources }))) {
      tasks.push({
        title: `Build ${part.title}`,
        skip: () => part !== systems.node && choice !== undefined && "images" in choice,
        task: async (_, task) => {
          await ensureArtefact(part, { sources: imageSources, report: elapsedReport(task) });
        },
      });
    }
  }
  if (tier) {
    tasks.push({
      title: "Embedded cluster",
      task: async (_, task) => {
        const officialImages = choice && "images" in choice ? choice.images : undefined;
        const options = { node: tier.node, officialImages, report: elapsedReport(task) };
        cluster = await startCluster(defaultStateFolder, options);
      },
    });
  }
  await new Listr(tasks, {
    fallbackRenderer: "simple",
    fallbackRendererCondition: () => !process.stdout.isTTY || Boolean(process.env.CI),
    rendererOptions: { timer: PRESET_TIMER },
    fallbackRendererOptions: { timer: PRESET_TIMER },
  }).run();
  return cluster;
}

/** Where the site is, how to log in, and the proof that it works: a visit that it recorded. */
async function showSite(cluster: Cluster): Promise<string> {
  // Loaded here: the whole program comes with it.
  const { trackingSnippet } = await import("../components/site");
  const url = await openSite(cluster);
  const visits = (await countVisits(cluster)) || (await recordVisit(cluster, url));
  const secret = ["get", "secret", "matomo", "--namespace=matomo", "--output=jsonpath={.data.KEY}"];
  const login = await cluster.kubectl(secret.map((arg) => arg.replace("KEY", "matomo-username")));
  return [
    "",
    `The site: ${url} (${visits} recorded ${visits === 1 ? "visit" : "visits"})`,
    `  log in as ${Buffer.from(login, "base64").toString()}, with the password that this prints:`,
    "  npm run local -- kubectl get secret matomo --namespace matomo " +
      `-o go-template='{{index .data "matomo-password" | base64decode}}'`,
    "  put this into a page of your own:",
    trackingSnippet(url),
  ].join("\n");
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
