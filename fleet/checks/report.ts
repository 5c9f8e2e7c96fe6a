/**
 * What a check found, stack by stack: written by the offline check and by the preview, read by the
 * comment. It holds no property's value, so no secret.
 */
import * as fs from "node:fs/promises";
import { z } from "zod";

const changeSchema = z.strictObject({
  op: z.enum(["create", "update", "replace", "delete"]),
  /** The object in words: its kind, and its name as Pulumi knows it. */
  object: z.string(),
  urn: z.string(),
  /** Paths that differ. */
  differs: z.array(z.string()),
  /** Paths that make a replacement of it. */
  replacedFor: z.array(z.string()),
  /** Whether it holds data: a person has to look before it is replaced or deleted. */
  holdsData: z.boolean(),
});

const violationSchema = z.strictObject({
  rule: z.string(),
  level: z.enum(["mandatory", "advisory"]),
  /** Object, place, what was found there and the fix. */
  message: z.string(),
  /** The page with the reason. */
  url: z.string().optional(),
});

const stackSchema = z.strictObject({
  stack: z.string(),
  /** `preview`: against the live cluster; `rendered`: the program's objects alone. */
  by: z.enum(["preview", "rendered"]),
  /** How many resources the program has. */
  objects: z.int(),
  changes: z.array(changeSchema),
  violations: z.array(violationSchema),
  /** What the program says of the settings. */
  warnings: z.array(z.string()),
  /** Why the stack could not be judged at all. */
  error: z.string().optional(),
});

const reportSchema = z.strictObject({ stacks: z.array(stackSchema) });

/** One resource that an `up` would touch. */
export type Change = z.output<typeof changeSchema>;
/** What a rule of the pack says against an object. */
export type Violation = z.output<typeof violationSchema>;
export type StackReport = z.output<typeof stackSchema>;
export type Report = z.output<typeof reportSchema>;

/** Whether this stack must not go up as it is. */
export function isBlocked({ error, violations }: StackReport): boolean {
  return error !== undefined || violations.some(({ level }) => level === "mandatory");
}

/** A check's exit code: 1 as soon as one stack is blocked. */
export function exitCode({ stacks }: Report): number {
  return stacks.some(isBlocked) ? 1 : 0;
}

export async function writeReport(file: string, report: Report): Promise<void> {
  await fs.writeFile(file, `${JSON.stringify(report, undefined, 2)}\n`);
}

/** @throws when the file is not a report as these commands write it */
export async function readReport(file: string): Promise<Report> {
  return reportSchema.parse(JSON.parse(await fs.readFile(file, "utf8")));
}

/** The report for a terminal: a line for each stack, then what is wrong with it. */
export function asText({ stacks }: Report): string {
  return stacks.flatMap(stackText).join("\n");
}

function stackText(report: StackReport): string[] {
  const { stack, objects, changes, violations, warnings, error } = report;
  const verdict = error ? "failed" : plural(violations.length, "violation");
  const facts = [plural(objects, "object"), verdict];
  if (report.by === "preview") facts.splice(1, 0, plural(changes.length, "change"));
  return [
    `${isBlocked(report) ? "✗" : "✓"} ${stack}: ${facts.join(", ")}`,
    ...(error ? [indented(error)] : []),
    ...violations.map(({ rule, level, message }) => indented(`${rule} (${level}): ${message}`)),
    ...warnings.map((warning) => indented(`warning: ${warning}`)),
  ];
}

const indented = (text: string) => text.replace(/^/gm, "    ");

export function plural(count: number, noun: string): string {
  return `${count === 0 ? "no" : count} ${noun}${count === 1 ? "" : "s"}`;
}
