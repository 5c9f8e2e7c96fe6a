/**
 * `npm run local -- pulumi ...` and `npm run local -- kubectl ...`: the two commands on what
 * `npm start` made, with its engine, state and cluster.
 */
import * as path from "node:path";
import { Command } from "commander";
import { execa } from "execa";
import { kubernetes } from "./artefacts";
import { openDeployment } from "./deployment";
import { runCommand } from "./errors";
import { ensureArtefact } from "./toolchain";

const contextOption = ["--context <name>", "what was deployed to this context"] as const;

const program = new Command("npm run local --")
  .description("Runs pulumi or kubectl on what `npm start` made.")
  .enablePositionalOptions();

program
  .command("pulumi")
  .argument("<args...>", "command and options of pulumi")
  .option(...contextOption)
  .option("--stack <name>", "stack", "local")
  .passThroughOptions()
  .action(async (args: string[], options: { context?: string; stack: string }) => {
    const deployment = await openDeployment(options.context);
    await deployment.pulumi(options.stack, args);
  });

program
  .command("kubectl")
  .argument("<args...>", "command and options of kubectl")
  .option(...contextOption)
  .passThroughOptions()
  .action(async (args: string[], options: { context?: string }) => {
    const { kubeconfig, context } = await openDeployment(options.context);
    const kubectl = path.join(await ensureArtefact(kubernetes), "kubectl");
    const cluster = [`--kubeconfig=${kubeconfig}`, `--context=${context}`];
    await execa(kubectl, [...args, ...cluster], { stdio: "inherit" });
  });

runCommand(async () => {
  await program.parseAsync();
});
