/**
 * What a rule is, and how it says what it found. A rule asks many small questions ("judgements");
 * each ends in a fault, in nothing, or in NotKnown, which is collected and told once per object as
 * an advisory: a rule never passes in silence what only `pulumi up` can decide.
 */
import * as z from "zod";
import { NotKnown, OutOfSight, View } from "./data";
import { exemptionFor, Exemption } from "./settings";
import { KubeObject } from "./objects";
import { Stack } from "./stack";

export type Level = "mandatory" | "advisory";

/** One thing that is wrong: where, what was found there and what to do. */
export interface Fault {
  at: View | string;
  found: string;
  fix: string;
  /** Told, but never blocking, whatever the rule's level is. */
  advisory?: boolean;
}

export interface Finding {
  rule: string;
  urn: string;
  kind: "violation" | "advisory" | "unknown" | "exempt";
  message: string;
}

interface Described {
  /** Stable, kebab-case, the name of its file. */
  name: string;
  title: string;
  description: string;
  level: Level;
  severity: "low" | "medium" | "high" | "critical";
  /** The seed's incidents (docs/incidents.md) that it rules out. */
  incidents: number[];
  remediation: string;
  /** The page with the reason. */
  url: string;
}

/** A rule that one object decides: it blocks before that object is made. */
export interface ResourceRule<S = never> extends Described {
  settings: z.ZodType<S>;
  check(object: KubeObject, judge: Judge, settings: S, memory: Memory): void;
}

/** A rule that needs several objects: it runs when all are known, in a preview or after an up. */
export interface StackRule<S = never> extends Described {
  settings: z.ZodType<S>;
  checkStack(stack: Stack, judge: Judge, settings: S, memory: Memory): void;
}

/** A rule that one object decides, unless that came before another one which it needs. */
export type EitherRule<S = never> = ResourceRule<S> & StackRule<S>;

export type Rule = ResourceRule | StackRule | EitherRule;

/** Asks one question about an object. May be nested: an inner question's unknown stays inside. */
export type Judge = (object: KubeObject, question: () => Fault | undefined | void) => void;

/** What resource rules remember of the objects that came before. */
export interface Memory {
  /** Whether many may mount a claim (namespace/name); undefined for one that did not come yet. */
  isSharedClaim(key: string): boolean | undefined;
  /** URNs of the objects that a rule left to the end, when every claim of the stack has come. */
  readonly postponed: Set<string>;
}

/** Lets the compiler derive the settings' type from the schema. */
export const resourceRule = <S>(rule: ResourceRule<S>): Rule => rule as unknown as Rule;
export const stackRule = <S>(rule: StackRule<S>): Rule => rule as unknown as Rule;
export const eitherRule = <S>(rule: EitherRule<S>): Rule => rule as unknown as Rule;

/** What an advisory says of places that kept a rule from judging: its first words, and its last. */
const OPEN = {
  yet: ["not judged yet", "`pulumi up` will judge it once it is known"],
  never: ["not judged", "an `up` will not tell either, so check it where it is made"],
};

/** Collects the findings of one run of a rule. */
export class Report {
  readonly findings: Finding[] = [];
  private readonly told = new Set<string>();
  private readonly open: Record<keyof typeof OPEN, Map<KubeObject, Set<string>>> = {
    yet: new Map(),
    never: new Map(),
  };

  constructor(
    private readonly rule: Rule,
    private readonly exemptions: Exemption[],
  ) {}

  readonly judge: Judge = (object, question) => {
    try {
      const fault = question();
      if (fault) {
        this.add(object, fault);
      }
    } catch (error) {
      if (!(error instanceof NotKnown)) {
        throw error;
      }
      const open = this.open[error instanceof OutOfSight ? "never" : "yet"];
      const paths = open.get(object) ?? new Set();
      open.set(object, paths);
      paths.add(
        `${error.owner === object.words ? "" : `${error.owner}: `}${error.path} ${error.why}`,
      );
    }
  };

  private add(object: KubeObject, { at, found, fix, advisory }: Fault): void {
    const path = typeof at === "string" ? at : at.path;
    const message = `${object.words}: ${path}: ${found}. ${fix}`;
    const exemption = exemptionFor(object, this.exemptions);
    const finding = `${object.urn} ${message}`;
    if (this.told.has(finding)) {
      return;
    }
    this.told.add(finding);
    this.findings.push(
      exemption
        ? this.finding(object, "exempt", `${message} Exempt: ${exemption.reason}`)
        : this.finding(object, advisory ? "advisory" : "violation", message),
    );
  }

  private finding(object: KubeObject, kind: Finding["kind"], message: string): Finding {
    return { rule: this.rule.name, urn: object.urn, kind, message };
  }

  /** All findings, with one advisory for each object that could not be judged in full. */
  finish(): Finding[] {
    for (const kind of ["yet", "never"] as const) {
      const [first, last] = OPEN[kind];
      for (const [object, paths] of this.open[kind]) {
        const shown = [...paths].slice(0, 3).join("; ");
        const more = paths.size > 3 ? ` and ${paths.size - 3} more` : "";
        const message = `${object.words}: ${first}: ${shown}${more}; ${last}.`;
        this.findings.push(this.finding(object, "unknown", message));
      }
      this.open[kind].clear();
    }
    return this.findings;
  }
}
