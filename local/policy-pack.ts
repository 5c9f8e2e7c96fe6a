/**
 * The policy pack as the engine at hand can load it. An installed Pulumi runs the folder; the
 * language host that the toolchain builds knows no policy packs, and gets the executable file.
 */
import * as path from "node:path";
import { installedPulumi } from "./engine-path";
import { checkout } from "./paths";

/** Value of `--policy-pack`. */
export async function policyPack(): Promise<string> {
  const folder = path.join(checkout, "policy");
  return (await installedPulumi()) ? folder : path.join(folder, "run-policy");
}
