/**
 * `npm run local -- pulumi ...` and `npm run local -- kubectl ...`: the two commands on what
 * `npm start` made, with its engine, state and cluster.
 */
import { existsSync } from "node:fs";
import * as path from "node:path";
import { Command } from "commander";
import { execa } from "execa";
import { kubernetes } from "./artefacts";
import { type Deployment, openDeployment } from "./deployment";
import { runCommand, UserError } from "./errors";
import { takeOption } from "./options";
import { ensureArtefact } from "./toolchain";

const program = new Command("npm run local --").description(
  "Runs pulumi or kubectl on what `npm start` made. What follows the name is that program's own, but for " +
    "--context NAME: what was deployed to that context.",
);

/** A program whose arguments are its own, its --help too. */
function runs(name: string, description: string, run: (args: string[]) => Promise<void>): void {
  program
    .command(name)
    .description(description)
    .usage("...")
    .argument("[args...]")
    .helpOption(false)
    .allowUnknownOption()
    .action(run);
}

/** @throws UserError when nothing was started */
async function open(option: string | undefined): Promise<Deployment> {
  const deployment = await openDeployment(option);
  if (existsSync(deployment.kubeconfig)) return deployment;
  throw new UserError("There is no cluster yet: npm start");
}

runs("pulumi", "with --stack local, unless another is named", async (args) => {
  const { value: context, rest } = takeOption(args, "--context");
  const { value: stack = "local", rest: own } = takeOption(rest, "--stack", "-s");
  const deployment = await open(context);
  await deployment.pulumi(stack, own);
});

runs("kubectl", "on the cluster", async (args) => {
  const { value, rest } = takeOption(args, "--context");
  const { kubeconfig, context } = await open(value);
  const kubectl = path.join(await ensureArtefact(kubernetes), "kubectl");
  const cluster = [`--kubeconfig=${kubeconfig}`, `--context=${context}`];
  await execa(kubectl, [...cluster, ...rest], { stdio: "inherit" });
});

runCommand(async () => {
  await program.parseAsync();
});
