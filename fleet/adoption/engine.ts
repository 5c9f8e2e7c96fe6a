/** The stack in the engine, as adoption needs it. */
import { execa } from "execa";
import { Refusal } from "../../components/failure";
import { preview, up } from "../deploy";
import { reason } from "../errors";
import type { Fleet } from "../fleet";
import type { Progress } from "../run";
import { openStack, type Stack } from "../stacks";
import type { Engine } from "./adopt";
import type { Deployment } from "./state";

export function stackEngine(
  fleet: Fleet,
  stack: Stack,
  policyPack: string,
  progress: Progress,
): Engine {
  return {
    exportState: async () => {
      const engine = await openStack(fleet, stack);
      try {
        return (await engine.exportStack()) as Deployment;
      } catch (error) {
        if (!/no stack named/.test(reason(error))) throw error;
        throw new Refusal(
          `stack ${stack.name} is not in the state's backend yet. Make it first: ` +
            `pulumi stack init ${stack.name}`,
        );
      }
    },
    // The Automation API's import goes through a file that everybody on the machine may read.
    importState: async (state) => {
      const args = ["stack", "import", "--stack", stack.name];
      const { exitCode, stderr } = await execa("pulumi", args, {
        ...{ cwd: fleet.project, input: JSON.stringify(state), reject: false },
      });
      if (exitCode !== 0) throw new Error(`the state could not be written: ${stderr}`);
    },
    preview: () => preview(fleet, stack, policyPack, progress),
    up: () => up(fleet, stack, policyPack, progress),
  };
}
