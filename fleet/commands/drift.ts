/** `fleet drift`: what differs from the last `up`, per object and field, secrets masked. */
import { driftLines, findDrift } from "../drift";
import { reason } from "../errors";
import type { Register } from "../fleet";
import { table } from "../report";
import { assertSomeDone, runStacks } from "../run";
import { chooseStacks } from "../stacks";

export const registerDrift: Register = (program, run) => {
  const command = program
    .command("drift")
    .description("shows what differs from the last up, changes nothing; exit 1 when anything does")
    .argument("[stack...]", "stacks")
    .option("--all", "every stack but local")
    .action((names: string[], { all }: { all?: boolean }) =>
      run(command, async (fleet) => {
        const { output } = fleet;
        const stacks = await chooseStacks(fleet, names, all);
        const outcomes = await runStacks(fleet, stacks, (stack, progress) =>
          findDrift(fleet, stack, progress),
        );
        assertSomeDone(outcomes);
        const rows = outcomes.map(({ stack, value, error }) => [
          stack,
          error === undefined
            ? value?.length
              ? output.color("red", "yes")
              : output.color("green", "no")
            : output.color("red", "FAILED"),
          String(value?.length ?? "?"),
        ]);
        const details = outcomes.flatMap(({ stack, value, error }) => {
          const lines =
            error === undefined ? value!.flatMap(driftLines) : reason(error).split("\n");
          return lines.length ? ["", stack, ...lines.map((line) => `  ${line}`)] : [];
        });
        return {
          ok: outcomes.every(({ value }) => value?.length === 0),
          json: {
            stacks: outcomes.map(({ stack, value, error }) =>
              error === undefined ? { stack, drift: value } : { stack, error: reason(error) },
            ),
          },
          text: [table(["STACK", "DRIFT", "OBJECTS"], rows), ...details].join("\n"),
        };
      }),
    );
};
