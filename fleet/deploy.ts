/** `preview` and `up`: the engine's operations with the policy pack, and their table. */
import * as path from "node:path";
import { Option } from "commander";
import type { Fleet } from "./fleet";
import { operate, OperationFailure, type OperationReport } from "./operation";
import { count, type Output, table } from "./report";
import { type Outcome, type Progress } from "./run";
import { reason } from "./errors";
import { engineOptions, openStack, readSettings, type Stack } from "./stacks";

/** `--policy-pack`: the pack that judges. */
export function policyPackOption(): Option {
  return new Option("--policy-pack <path>", "the policy pack")
    .default(path.resolve(__dirname, "..", "policy"), "policy/")
    .env("MATOMO_POLICY_PACK");
}

/** What an `up` of the stack would do, judged by the pack. */
export async function preview(
  fleet: Fleet,
  stack: Stack,
  policyPack: string,
  progress: Progress,
): Promise<OperationReport> {
  // All faults of the settings before the engine starts.
  await readSettings(fleet, stack);
  const engine = await openStack(fleet, stack);
  return operate(progress, (onEvent) =>
    engine.preview({ ...engineOptions(fleet, stack), policyPacks: [policyPack], onEvent }),
  );
}

/**
 * Deploys the stack; the pack judges each resource once more before it is made. With `refresh`, what is
 * gone from the cluster is made anew: else the state's word is taken for it.
 */
export async function up(
  fleet: Fleet,
  stack: Stack,
  policyPack: string,
  progress: Progress,
  { refresh = false } = {},
): Promise<OperationReport> {
  const engine = await openStack(fleet, stack);
  // The kubeconfig of the last deployment may have ended; the program knows the one of now.
  const looks = refresh ? { refresh, runProgram: true } : {};
  return operate(progress, (onEvent) =>
    engine.up({ ...engineOptions(fleet, stack), ...looks, policyPacks: [policyPack], onEvent }),
  );
}

/** The report of a stack, whether it failed or not; undefined when the engine was not reached. */
export function reportOf({ value, error }: Outcome<OperationReport>): OperationReport | undefined {
  return error instanceof OperationFailure ? error.report : value;
}

/** For `--json`. */
export function deployJson(outcomes: Outcome<OperationReport>[]): unknown {
  return {
    stacks: outcomes.map((outcome) => ({
      stack: outcome.stack,
      ok: outcome.error === undefined,
      seconds: outcome.seconds,
      ...(outcome.error !== undefined && { error: reason(outcome.error) }),
      ...reportOf(outcome),
    })),
  };
}

/** One table, then what needs a reader: replacements, deletions, violations, errors. */
export function deployText(output: Output, outcomes: Outcome<OperationReport>[]): string {
  const header = ["STACK", "RESULT", "CREATE", "UPDATE", "REPLACE", "DELETE", "SAME", "RULES", "S"];
  const rows = outcomes.map((outcome) => {
    const { counts = {}, violations = [] } = reportOf(outcome) ?? {};
    const number = (op: string) => String((counts as Record<string, number>)[op] ?? 0);
    return [
      outcome.stack,
      outcome.error === undefined ? output.color("green", "ok") : output.color("red", "FAILED"),
      ...["create", "update", "replace", "delete", "same"].map(number),
      violations.length ? output.color("red", String(violations.length)) : "0",
      outcome.seconds.toFixed(1),
    ];
  });
  return [table(header, rows), ...outcomes.flatMap((outcome) => details(output, outcome))].join(
    "\n",
  );
}

function details(output: Output, outcome: Outcome<OperationReport>): string[] {
  const report = reportOf(outcome);
  const lines = (report?.steps ?? [])
    .filter(({ op }) => op === "replace" || op === "delete")
    .map(({ op, type, name, replaces }) => {
      const because = replaces.length ? ` (${replaces.join(", ")})` : "";
      return output.color("yellow", `${op} ${type} ${name}${because}`);
    });
  for (const { rule, mandatory, urn, message } of report?.violations ?? []) {
    const where = urn === undefined ? "" : ` ${urn.split("::").slice(-2).join(" ")}`;
    lines.push(`${mandatory ? "mandatory" : "advisory"} ${rule}${where}: ${message}`);
  }
  lines.push(...(report?.warnings ?? []).map((text) => output.color("yellow", `warning: ${text}`)));
  const errors = report ? report.errors : [reason(outcome.error)];
  if (outcome.error !== undefined) lines.push(...errors);
  if (!lines.length) return [];
  const indented = lines.flatMap((text) => text.split("\n")).map((line) => `  ${line}`);
  return ["", output.color("bold", outcome.stack), ...indented];
}

/** `2 stacks: 12 to create, 1 to replace`. */
export function summary(outcomes: Outcome<OperationReport>[]): string {
  const total = (op: string) =>
    outcomes.reduce((sum, outcome) => sum + (reportOf(outcome)?.counts[op] ?? 0), 0);
  const parts = ["create", "update", "replace", "delete"]
    .filter((op) => total(op))
    .map((op) => `${total(op)} to ${op}`);
  return `${count(outcomes.length, "stack")}: ${parts.join(", ") || "nothing to change"}`;
}
