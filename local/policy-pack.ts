/**
 * The policy pack as the engine at hand can load it. An installed Pulumi runs the folder; the
 * language host that the toolchain builds knows no policy packs, and gets the executable file.
 */
import * as path from "node:path";
import { execa } from "execa";
import { openDeployment } from "./deployment";
import { installedPulumi } from "./engine-path";
import { checkout } from "./paths";

/** Value of `--policy-pack`. */
export async function policyPack(): Promise<string> {
  const folder = path.join(checkout, "policy");
  return (await installedPulumi()) ? folder : path.join(folder, "run-policy");
}

/**
 * Previews a stack with the pack, on the terminal of the caller. `open` opens what `npm start` made.
 */
export async function previewWithPack(
  stack: string,
  options: string[],
  open: () => Promise<{ pulumi(stack: string, args: string[]): Promise<unknown> }> = () =>
    openDeployment(undefined),
): Promise<void> {
  const args = ["preview", "--policy-pack", await policyPack(), ...options];
  if (await installedPulumi()) {
    await execa("pulumi", [...args, "--stack", stack], { cwd: checkout, stdio: "inherit" });
  } else {
    const deployment = await open();
    await deployment.pulumi(stack, args);
  }
}
