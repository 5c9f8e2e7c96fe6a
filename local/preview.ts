/**
 * `npm run preview -- STACK`: what an `up` would do, judged by the policy pack. With an installed
 * Pulumi that is the person's own engine and backend, otherwise what `npm start` made.
 */
import { Command } from "commander";
import { runCommand } from "./errors";
import { previewWithPack } from "./policy-pack";

const program = new Command("npm run preview --")
  .description("Previews a stack with the policy pack.")
  .argument("<stack>", "liberty, yonks, personal or local")
  .argument("[options...]", "further options of pulumi preview")
  .passThroughOptions()
  .action((stack: string, options: string[]) => previewWithPack(stack, options));

runCommand(async () => {
  await program.parseAsync();
});
