/**
 * What adoption will do to each object: taken over as it is, changed in place, new, or going away.
 * A plan holds no secret: of a Secret it says which keys change, never to what.
 */
import type { Reference } from "./api";
import type { Data } from "../engine";
import type { Wanted } from "./program";
import { type Difference, differences } from "./shape";

/** What becomes of an object. */
export type Action = "adopt" | "change" | "create" | "delete" | "leave";

export interface PlanEntry {
  object: string;
  action: Action;
  /** Fields that change, for a person. */
  changes: { path: string; before?: string; after?: string }[];
  /** Labels and annotations that Helm or Pulumi keep their own books with. */
  bookkeeping: number;
  notes: string[];
}

export interface Plan {
  stack: string;
  release?: { name: string; revision: number; chart: string; records: number };
  entries: PlanEntry[];
  notes: string[];
  /** Why it cannot be done now, each with the way on. */
  blockers: string[];
}

/** Labels and annotations that say who manages an object, and nothing that anybody acts on. */
const BOOKKEEPING =
  /^metadata\.(labels|annotations)(\["(app\.kubernetes\.io|helm\.sh|meta\.helm\.sh|pulumi\.com|matomo-fleet|kubectl\.kubernetes\.io)\/[^"]*"\])?$/;

/** What Helm stated and the API server fills in by itself: leaving it out changes nothing. */
const DEFAULTS: [RegExp, string][] = [
  [/\.protocol$/, "TCP"],
  [/^spec\.type$/, "ClusterIP"],
];

/** Fields whose change the provider answers by a new object (its own list, for these kinds). */
const FORCES_REPLACEMENT: Record<string, string[]> = {
  PersistentVolumeClaim: [
    "spec.accessModes",
    "spec.selector",
    "spec.storageClassName",
    "spec.volumeName",
  ],
  StatefulSet: [
    ...["spec.podManagementPolicy", "spec.revisionHistoryLimit", "spec.selector"],
    ...["spec.serviceName", "spec.volumeClaimTemplates"],
  ],
  Deployment: ["spec.selector"],
  Service: ["spec.clusterIP"],
  Secret: ["type"],
  RoleBinding: ["roleRef"],
};

/** A Secret's `stringData` is write-only: what counts is `data`. */
export function normalized(inputs: Data): Data {
  if (inputs.kind !== "Secret" || !inputs.stringData) return inputs;
  const { stringData, ...rest } = inputs;
  const encode = ([key, value]: [string, unknown]) => [
    key,
    Buffer.from(String(value)).toString("base64"),
  ];
  const data = Object.fromEntries(Object.entries(stringData as Data).map(encode));
  return { ...rest, data: { ...(rest.data as Data), ...data } };
}

/** Fields in which a live object differs from what the program asks for. */
export function changesOf(asked: Data, wanted: Wanted): Difference[] {
  const ignored = wanted.options.ignoreChanges ?? [];
  return differences(asked, normalized(wanted.inputs)).filter(
    ({ path, before, after }) =>
      !ignored.some((start) => isBelow(path, start)) &&
      !(after === undefined && DEFAULTS.some(([at, value]) => at.test(path) && before === value)),
  );
}

function isBelow(path: string, start: string): boolean {
  return path === start || path.startsWith(`${start}.`) || path.startsWith(`${start}[`);
}

/** Changes for which the provider would delete the object and make another one. */
export function replacements(kind: string, changes: Difference[]): string[] {
  const forcing = FORCES_REPLACEMENT[kind] ?? [];
  return changes
    .map(({ path }) => path)
    .filter((path) => forcing.some((one) => isBelow(path, one)));
}

/** The entry of an object that is there. `secrets` are values that no line may show. */
export function entryOf(
  object: Reference,
  changes: Difference[],
  notes: string[],
  secrets: string[],
): PlanEntry {
  const real = changes.filter(({ path }) => !BOOKKEEPING.test(path));
  return {
    object: `${object.kind}/${object.name}`,
    action: real.length ? "change" : "adopt",
    changes: real.map((change) => shown(object.kind, change, secrets)),
    bookkeeping: changes.length - real.length,
    notes,
  };
}

/** Longest value that a line of the plan shows. */
const WIDTH = 60;

/** Variables that may hold a password in clear. */
const SECRET_VARIABLE = /\.env\[[^\]]*(PASS|PWD|TOKEN|SECRET|KEY)[^\]]*\]/i;

function shown(kind: string, { path, before, after }: Difference, secrets: string[]) {
  // Of a Secret the name of the key is all that is ever shown.
  const isHidden = (kind === "Secret" && isBelow(path, "data")) || SECRET_VARIABLE.test(path);
  const text = (value: unknown): string | undefined => {
    if (value === undefined) return undefined;
    const json = typeof value === "string" ? value : JSON.stringify(value);
    if (isHidden || secrets.some((secret) => json.includes(secret))) return "(hidden)";
    const line = json.split("\n")[0];
    return line.length > WIDTH || line !== json ? `${line.slice(0, WIDTH)}…` : json;
  };
  return { path, before: text(before), after: text(after) };
}

const HEADINGS: [Action, string][] = [
  ["adopt", "taken over as it is"],
  ["change", "changed in place"],
  ["create", "new"],
  ["delete", "goes away, it holds nothing"],
  ["leave", "no longer anybody's, left where it is"],
];

/** How many fields of an object a person is shown. */
const SHOWN = 12;

/** The plan as a person reads it. */
export function planText(plan: Plan): string {
  const { release } = plan;
  const of = release
    ? `Helm release ${release.name}, revision ${release.revision} (${release.chart})`
    : "a site without a Helm release";
  const lines = [`Adoption of ${of} by stack ${plan.stack}`];
  for (const [action, heading] of HEADINGS) {
    const entries = plan.entries.filter((entry) => entry.action === action);
    if (!entries.length) continue;
    lines.push("", `${heading} (${entries.length}):`);
    for (const { object, changes, bookkeeping, notes } of entries) {
      const books = bookkeeping ? ` (and ${bookkeeping} labels and annotations)` : "";
      lines.push(`  ${object}${action === "change" || action === "adopt" ? books : ""}`);
      lines.push(...notes.map((note) => `      note: ${note}`));
      lines.push(...changes.slice(0, SHOWN).map((change) => `      ${changeText(change)}`));
      const more = changes.length - SHOWN;
      if (more > 0) lines.push(`      … and ${more} more, all of them with --json`);
    }
  }
  if (plan.notes.length) lines.push("", "notes:", ...plan.notes.map((note) => `  - ${note}`));
  if (plan.blockers.length) {
    lines.push("", "in the way:", ...plan.blockers.map((blocker) => `  - ${blocker}`));
  }
  return lines.join("\n");
}

function changeText({ path, before, after }: PlanEntry["changes"][number]): string {
  if (before === undefined) return `+ ${path}: ${after}`;
  if (after === undefined) return `- ${path}: ${before}`;
  return `~ ${path}: ${before} → ${after}`;
}
