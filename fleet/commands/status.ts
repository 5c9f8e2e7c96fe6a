/** `fleet status`: is each site well; exit 1 when anything is wrong. */
import { reason } from "../errors";
import type { Register } from "../fleet";
import { age } from "../format";
import { type Output, table } from "../report";
import { assertSomeDone, type Outcome, runStacks } from "../run";
import type { LastRun } from "../runs";
import { type Address, parseAddress } from "../site-probe";
import { chooseStacks } from "../stacks";
import { type Status, statusOf } from "../status";

const HEADER = [
  ...["STACK", "HEALTH", "SITE", "CERTIFICATE", "PODS", "CLAIMS", "USED"],
  ...["ARCHIVED", "BACKUP", "MATOMO", "MARIADB", "DRIFT"],
];

interface Options {
  all?: boolean;
  drift: boolean;
  address?: Address;
}

export const registerStatus: Register = (program, run) => {
  const command = program
    .command("status")
    .description("shows whether each site is well; exit 1 when anything is wrong")
    .argument("[stack...]", "stacks")
    .option("--all", "every stack but local")
    .option("--no-drift", "do not look for drift, which takes longest")
    .option("--address <host[:port]>", "reach the site there, not by its name", parseAddress)
    .action((names: string[], { all, drift, address }: Options) =>
      run(command, async (fleet) => {
        const stacks = await chooseStacks(fleet, names, all);
        const outcomes = await runStacks(fleet, stacks, (stack, progress) =>
          statusOf(fleet, stack, { drift, address }, progress),
        );
        assertSomeDone(outcomes);
        return {
          ok: outcomes.every(({ value }) => value?.problems.length === 0),
          json: {
            stacks: outcomes.map(({ stack, value, error }) =>
              error === undefined
                ? { stack, ok: value!.problems.length === 0, ...value }
                : { stack, ok: false, error: reason(error) },
            ),
          },
          text: statusText(fleet.output, outcomes),
        };
      }),
    );
};

function statusText(output: Output, outcomes: Outcome<Status>[]): string {
  const rows = outcomes.map((outcome) => row(output, outcome));
  const details = outcomes.flatMap(({ stack, value, error }) => {
    const lines = error === undefined ? value!.problems : reason(error).split("\n");
    return lines.length
      ? ["", output.color("bold", stack), ...lines.map((line) => `  ${line}`)]
      : [];
  });
  return [table(HEADER, rows), ...details].join("\n");
}

function row(output: Output, { stack, value }: Outcome<Status>): string[] {
  if (!value) return [stack, output.color("red", "UNKNOWN"), ...HEADER.slice(2).map(() => "?")];
  const { site, pods, claims, archive, backup, versions, drift, problems } = value;
  const left = site.validTo && age(Date.parse(site.validTo) - Date.now());
  const measured = claims.flatMap(({ used }) => (used === undefined ? [] : [used]));
  return [
    stack,
    problems.length ? output.color("red", "WRONG") : output.color("green", "well"),
    String(site.status ?? "no answer"),
    left ? `${left}${site.trusted ? "" : ", untrusted"}` : "?",
    `${pods.filter(({ ready }) => ready).length}/${pods.length}`,
    `${claims.filter(({ phase }) => phase === "Bound").length}/${claims.length}`,
    measured.length ? `${Math.round(Math.max(...measured) * 100)} %` : "?",
    lastText(archive),
    lastText(backup),
    versionText(versions.matomo),
    versionText(versions.mariadb),
    drift === undefined ? "?" : String(drift),
  ];
}

function lastText({ success }: LastRun): string {
  return success ? `${age(Date.now() - Date.parse(success))} ago` : "never";
}

function versionText({ wanted, live }: { wanted: string; live?: string }): string {
  return live === wanted ? wanted : `${live ?? "none"} → ${wanted}`;
}
