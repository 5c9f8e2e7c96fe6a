/**
 * `npm run preview -- STACK`: what an `up` would do, judged by the policy pack. With an installed
 * Pulumi that is the person's own engine and backend, otherwise what `npm start` made.
 */
import { Command } from "commander";
import { execa } from "execa";
import { openDeployment } from "./deployment";
import { installedPulumi } from "./engine-path";
import { runCommand } from "./errors";
import { policyPack } from "./policy-pack";
import { checkout } from "./paths";

const program = new Command("npm run preview --")
  .description("Previews a stack with the policy pack.")
  .argument("<stack>", "liberty, yonks, personal or local")
  .argument("[options...]", "further options of pulumi preview")
  .passThroughOptions()
  .action(async (stack: string, options: string[]) => {
    const args = ["preview", "--policy-pack", await policyPack(), ...options];
    if (await installedPulumi()) {
      const process = { cwd: checkout, stdio: "inherit" } as const;
      await execa("pulumi", [...args, "--stack", stack], process);
    } else {
      const deployment = await openDeployment(undefined);
      await deployment.pulumi(stack, args);
    }
  });

runCommand(async () => {
  await program.parseAsync();
});
