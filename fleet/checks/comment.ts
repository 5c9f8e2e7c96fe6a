/**
 * The pull request's one comment: what the stacks' reports come to, as markdown. What stands in a
 * report was written by the pull request, so its text is quoted, never taken as markup.
 */
import { type Change, isBlocked, type Report, type StackReport } from "./report";

/** The comment's first line, by which it is found again. */
export const MARKER = "<!-- matomo-fleet: what this pull request would change -->";
/** What GitHub takes at most. */
export const MAX_LENGTH = 65_536;
/** Most entries of a list; the first number with which the comment is short enough counts. */
const LIST_LENGTHS = [1000, 200, 50, 10, 3, 0];

/** The comment, short enough to be posted: its lists are cut before its table is. */
export function renderComment(report: Report): string {
  const comments = LIST_LENGTHS.map((length) => render(report, length));
  const short = comments.find((comment) => comment.length <= MAX_LENGTH);
  return short ?? cut(comments.at(-1)!);
}

/** The comment of a run that ended before it had a report; `page` is the run's own. */
export function renderNone(page?: string): string {
  const log = page === undefined ? "log" : `[log](${page})`;
  return `${MARKER}
## What this pull request would change

❌ Not known: the check ended before it had a report. Its ${log} says why.
`;
}

function cut(comment: string): string {
  const note = "\n\nThe rest does not fit into a comment: see the check's log.\n";
  const kept = comment.slice(0, MAX_LENGTH - note.length);
  return `${kept.slice(0, kept.lastIndexOf("\n"))}${note}`;
}

function render({ stacks }: Report, length: number): string {
  const sections = [
    [MARKER, "## What this pull request would change"],
    table(stacks),
    atRisk(stacks, length),
    violations(stacks, length),
    warnings(stacks, length),
    ...stacks.map((stack) => details(stack, length)),
    notes(stacks),
  ];
  return `${sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join("\n"))
    .join("\n\n")}\n`;
}

const OPERATIONS: Change["op"][] = ["create", "update", "replace", "delete"];
const count = ({ changes }: StackReport, op: Change["op"]) =>
  changes.filter((change) => change.op === op).length;

function table(stacks: StackReport[]): string[] {
  const row = (cells: (string | number)[]) => `| ${cells.join(" | ")} |`;
  return [
    row(["stack", "verdict", ...OPERATIONS, "violations"]),
    row(["---", "---", ...OPERATIONS.map(() => "---:"), "---:"]),
    ...stacks.map((stack) => {
      const counts = OPERATIONS.map((op) => {
        const risky = stack.changes.some((change) => change.op === op && isAtRisk(change));
        return stack.by === "rendered" ? "–" : bold(String(count(stack, op)), risky);
      });
      return row([quote(stack.stack), verdict(stack), ...counts, stack.violations.length]);
    }),
  ];
}

function verdict(stack: StackReport): string {
  if (stack.error !== undefined) return "❌ failed";
  if (isBlocked(stack)) return "❌ blocked by the policy pack";
  return stack.changes.some(isAtRisk) ? "⚠️ look at the data" : "✅";
}

const isAtRisk = ({ op, holdsData }: Change) => holdsData && (op === "replace" || op === "delete");
const bold = (text: string, really = true) => (really ? `**${text}**` : text);

/** Each replace or delete of something that holds data. */
function atRisk(stacks: StackReport[], length: number): string[] {
  const lines = stacks.flatMap((stack) =>
    stack.changes
      .filter(isAtRisk)
      .map((change) => `- ${quote(stack.stack)}: ${changeLine(change)}`),
  );
  return lines.length ? ["### Data at risk", "", ...list(lines, length)] : [];
}

/** Each violation once, with the stacks that have it. */
function violations(stacks: StackReport[], length: number): string[] {
  const lines = eachOnce(stacks, ({ violations }) =>
    violations.map(({ rule, level, message, url }) => {
      const why = url ? ` [Why](${url})` : "";
      return `${bold(code(rule), level === "mandatory")} (${level}): ${quote(message)}${why}`;
    }),
  );
  return lines.length ? ["### Violations", "", ...list(lines, length)] : [];
}

/** What the program says of the settings, once, with the stacks that it is about. */
function warnings(stacks: StackReport[], length: number): string[] {
  const lines = eachOnce(stacks, ({ warnings }) => warnings.map(quote));
  return lines.length ? ["### Warnings", "", ...list(lines, length)] : [];
}

/** What is said of stacks, each once, with the names of those that it is said of. */
function eachOnce(stacks: StackReport[], said: (stack: StackReport) => string[]): string[] {
  const found = new Map<string, string[]>();
  for (const stack of stacks) {
    for (const line of said(stack)) found.set(line, [...(found.get(line) ?? []), stack.stack]);
  }
  return [...found].map(([line, names]) => `- ${names.map(quote).join(", ")}: ${line}`);
}

function details(stack: StackReport, length: number): string[] {
  const { changes, error } = stack;
  if (!changes.length && error === undefined) return [];
  const counts = OPERATIONS.filter((op) => count(stack, op)).map(
    (op) => `${count(stack, op)} ${op}`,
  );
  const facts = [...counts, ...(error === undefined ? [] : ["error"])];
  const sorted = [...changes].sort((a, b) => rank(a) - rank(b) || compare(a.object, b.object));
  return [
    `<details><summary>${quote(stack.stack)}: ${facts.join(", ")}</summary>`,
    "",
    ...(error === undefined ? [] : [...block(error, length), ""]),
    ...list(
      sorted.map((change) => `- ${changeLine(change)}`),
      length,
    ),
    "",
    "</details>",
  ];
}

/** What may lose data first, then the heavier operations. */
const rank = (change: Change) =>
  isAtRisk(change) ? -1 : OPERATIONS.length - OPERATIONS.indexOf(change.op);
const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

function changeLine(change: Change): string {
  const { op, object, differs, replacedFor } = change;
  const paths = op === "replace" && replacedFor.length ? replacedFor : differs;
  const which = paths.length ? `: ${paths.slice(0, 20).map(code).join(", ")}` : "";
  const more = paths.length > 20 ? ` and ${paths.length - 20} more` : "";
  return `${bold(`${op} ${quote(object)}`, isAtRisk(change))}${which}${more}`;
}

function notes(stacks: StackReport[]): string[] {
  const rendered = stacks.filter(({ by }) => by === "rendered").map(({ stack }) => quote(stack));
  const broken = stacks.some(({ by, error }) => by === "preview" && error !== undefined);
  return [
    ...(broken ? ["A preview that ends in an error may not have seen every change."] : []),
    ...(rendered.length
      ? [
          `Judged by the rendered objects alone, without a cluster: ${rendered.join(", ")}. ` +
            "What would change there is not known.",
        ]
      : []),
  ];
}

function list(lines: string[], length: number): string[] {
  const more = lines.length - length;
  return more > 0 ? [...lines.slice(0, length), `- and ${more} more`] : lines;
}

/** Text of the pull request as plain text: no markup, no HTML, nobody mentioned, one line. */
function quote(text: string): string {
  return text
    .replace(/\s+/g, " ")
    .replace(/[&<>]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[c]!)
    .replace(/[\\`*_[\]|~#!]/g, "\\$&")
    .replace(/@/g, "@\u200b");
}

function code(text: string): string {
  return `\`${text.replace(/[`|\s]+/g, " ")}\``;
}

/** Output as it is, behind a fence that no line of it closes. */
function block(text: string, length: number): string[] {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([ticks]) => ticks.length));
  const fence = "`".repeat(longest + 1);
  const lines = text.split("\n");
  const shown = lines.slice(0, Math.max(5, length)).map((line) => line.slice(0, 2000));
  return [`${fence}text`, ...shown, ...(shown.length < lines.length ? ["…"] : []), fence];
}
