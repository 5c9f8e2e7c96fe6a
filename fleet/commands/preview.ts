/** `fleet preview`: what an `up` would do on each stack, judged by the policy pack. */
import type { Register } from "../fleet";
import { deployJson, deployText, policyPackOption, preview } from "../deploy";
import { assertSomeDone, runStacks } from "../run";
import { chooseStacks } from "../stacks";

export const registerPreview: Register = (program, run) => {
  const command = program
    .command("preview")
    .description("shows what an up would do, judged by the policy pack; exit 1 if any stack fails")
    .argument("[stack...]", "stacks")
    .option("--all", "every stack but local")
    .addOption(policyPackOption())
    .action((names: string[], { all, policyPack }: { all?: boolean; policyPack: string }) =>
      run(command, async (fleet) => {
        const stacks = await chooseStacks(fleet, names, all);
        const outcomes = await runStacks(fleet, stacks, (stack, progress) =>
          preview(fleet, stack, policyPack, progress),
        );
        assertSomeDone(outcomes);
        return {
          ok: outcomes.every(({ error }) => error === undefined),
          json: deployJson(outcomes),
          text: deployText(fleet.output, outcomes),
        };
      }),
    );
};
