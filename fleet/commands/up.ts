/**
 * `fleet up`: deploys each stack whose preview passes the policy pack. A rule that needs several
 * resources speaks only after an `up` has made them, so the preview is the gate. Where a version goes up,
 * a proven backup comes first.
 */
import type { Register } from "../fleet";
import { deployJson, deployText, policyPackOption, preview, summary, up } from "../deploy";
import { UsageError } from "../errors";
import { assertSomeDone, runStacks } from "../run";
import { chooseStacks } from "../stacks";
import { backUpBeforeUpgrade } from "../upgrade";

interface Options {
  all?: boolean;
  yes?: boolean;
  policyPack: string;
}

export const registerUp: Register = (program, run) => {
  const command = program
    .command("up")
    .description(
      "deploys each stack whose preview passes the policy pack, a newer version after a proven backup",
    )
    .argument("[stack...]", "stacks")
    .option("--all", "every stack but local")
    .option("--yes", "do it without asking; needed without a terminal")
    .addOption(policyPackOption())
    .action((names: string[], { all, yes, policyPack }: Options) =>
      run(command, async (fleet) => {
        const { output, interrupted: signal } = fleet;
        const stacks = await chooseStacks(fleet, names, all);
        if (!yes && !output.asks) throw new UsageError("an up without a terminal needs --yes");
        output.note("Preview");
        const previews = await runStacks(fleet, stacks, (stack, progress) =>
          preview(fleet, stack, policyPack, progress),
        );
        assertSomeDone(previews);
        const passed = stacks.filter((_, i) => previews[i].error === undefined);
        const refused = previews.filter(({ error }) => error !== undefined);
        if (!yes && passed.length) {
          output.note(deployText(output, previews));
          const question = `Deploy ${summary(previews.filter(({ value }) => value))}?`;
          if (!(await output.confirm(question, { signal }))) {
            return { ok: false, json: { stacks: [] }, text: "Nothing was touched." };
          }
        }
        output.note("Up");
        const ups = passed.length
          ? await runStacks(fleet, passed, async (stack, progress) => {
              const warnings = await backUpBeforeUpgrade(fleet, stack, progress);
              const report = await up(fleet, stack, policyPack, progress);
              return { ...report, warnings: [...warnings, ...report.warnings] };
            })
          : [];
        if (ups.length) assertSomeDone(ups);
        const outcomes = stacks.map(({ name }) =>
          [...ups, ...refused].find(({ stack }) => stack === name)!,
        );
        return {
          ok: outcomes.every(({ error }) => error === undefined),
          json: deployJson(outcomes),
          text: deployText(output, outcomes),
        };
      }),
    );
};
