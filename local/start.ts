/**
 * `npm start`: from a checkout to a deployed site. The engine and the cluster are built if need be,
 * started if they do not run, and the stack `local` is deployed; what is there already stays.
 */
import { Command } from "commander";
import { ExecaError } from "execa";
import { commandTasks, runTasks, systemTasks } from "./build";
import { type Cluster, clusterFolder, startCluster } from "./cluster";
import { openDeployment, ownCluster } from "./deployment";
import { runCommand, UserError } from "./errors";
import { mariadbImage, matomoImage } from "./node/images";
import { chooseImages, type Choice } from "./node/official-images";
import { countVisits, openSite, recordVisit } from "./node/site";
import { chooseTier, type Tier } from "./node/tier";
import { defaultStateFolder } from "./paths";
import { elapsedReport } from "./progress";

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
  const own = ownCluster(context);
  const tier = own ? undefined : chooseTier(defaultStateFolder, simulated);
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
  console.log(nextSteps(context, own === undefined, Math.round((Date.now() - started) / 1000)));
}

/** Builds and starts what is needed. */
async function prepare(tier: Tier | undefined): Promise<Cluster | undefined> {
  let cluster: Cluster | undefined;
  const node = tier?.node ?? false;
  const tasks = await commandTasks({ cluster: tier !== undefined, node });
  let choice: Choice | undefined;
  if (node) {
    tasks.push({
      title: "Images of the site",
      task: async (_, task) => {
        const names = [matomoImage, mariadbImage];
        choice = await chooseImages(clusterFolder(defaultStateFolder), names, elapsedReport(task));
        task.title += "images" in choice ? ": the official ones" : `: stand-ins, ${choice.refusal}`;
      },
    });
    const official = () => choice !== undefined && "images" in choice;
    tasks.push(...(await systemTasks(official)));
  }
  if (tier) {
    tasks.push({
      title: "Embedded cluster",
      task: async (_, task) => {
        const officialImages = choice && "images" in choice ? choice.images : undefined;
        const options = { node, officialImages, report: elapsedReport(task) };
        cluster = await startCluster(defaultStateFolder, options);
      },
    });
  }
  await runTasks(tasks);
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

function nextSteps(context: string | undefined, embedded: boolean, seconds: number): string {
  const option = context === undefined ? "" : ` --context ${context}`;
  return [
    "",
    `Done in ${seconds} s. What to try next:`,
    `  npm run local -- kubectl${option} get pods --namespace matomo`,
    `  npm run local -- pulumi${option} preview --diff`,
    ...(embedded
      ? ["  npm stop         ends the cluster and keeps its data", "  npm run clean    removes it"]
      : []),
  ].join("\n");
}
