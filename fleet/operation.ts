/** One operation of the engine, as its events tell it; `preview`, `up` and `drift` read it. */
import type { EngineEvent, StepEventMetadata } from "@pulumi/pulumi/automation";
import type { DiagnosticEvent } from "@pulumi/pulumi/automation/events";
import { Failure, missingPart } from "./errors";
import type { Progress } from "./run";

/** What happens, or would happen, to one resource. */
export interface Step {
  /** create, update, replace, delete, … */
  op: string;
  urn: string;
  /** Pulumi's type, such as kubernetes:core/v1:Secret. */
  type: string;
  name: string;
  /** Properties that differ. */
  diffs: string[];
  /** Of these, the ones that make it a replacement. */
  replaces: string[];
}

/** What a rule of the policy pack says. */
export interface Violation {
  rule: string;
  mandatory: boolean;
  urn?: string;
  message: string;
}

export interface OperationReport {
  /** Resources by what happens to them. */
  counts: Record<string, number>;
  /** Only what is not `same`. */
  steps: Step[];
  violations: Violation[];
  /** What the program says of the settings. */
  warnings: string[];
  /** Errors that the engine, a provider or the program printed. */
  errors: string[];
}

/** What an operation makes anew or takes away, as a list for a person; empty when it keeps everything. */
export function notKept({ steps }: OperationReport): string {
  const harmful = steps.filter(({ op }) => /replace|delete/.test(op));
  return harmful.map(({ op, type, name }) => `${op} ${type} ${name}`).join(", ");
}

/** An operation that did not end well, with what it told until then. */
export class OperationFailure extends Failure {
  constructor(readonly report: OperationReport) {
    super(why(report));
  }
}

function why({ errors, violations }: OperationReport): string {
  const mandatory = violations.filter((violation) => violation.mandatory);
  const own = errors.filter((text) => !/^(update|preview|refresh) failed$/i.test(text));
  const texts = [...own, ...mandatory.map(({ rule, message }) => `${rule}: ${message}`)];
  return texts.join("\n") || "the engine did not say why";
}

/** What the program warns of in its settings; undefined for what a provider or the engine says. */
export function ownWarning({ severity, message }: DiagnosticEvent): string | undefined {
  const text = withoutMarkup(message);
  return severity === "warning" && text.startsWith("matomo:") ? text : undefined;
}

/** Collects the events of one operation. */
export class EventReader {
  readonly report: OperationReport = {
    counts: {},
    steps: [],
    violations: [],
    warnings: [],
    errors: [],
  };

  constructor(private readonly progress: Progress) {}

  /** For the operation's `onEvent`. */
  readonly read = (event: EngineEvent): void => {
    const { resourcePreEvent, resOutputsEvent, policyEvent, diagnosticEvent, summaryEvent } = event;
    if (resourcePreEvent && !resourcePreEvent.planning) this.step(resourcePreEvent.metadata);
    if (resOutputsEvent) this.done(resOutputsEvent.metadata);
    if (policyEvent) {
      this.report.violations.push({
        rule: policyEvent.policyName,
        mandatory: policyEvent.enforcementLevel === "mandatory",
        urn: policyEvent.resourceUrn,
        message: withoutMarkup(policyEvent.message),
      });
    }
    if (diagnosticEvent?.severity === "error") {
      const text = withoutMarkup(diagnosticEvent.message);
      if (!this.report.errors.includes(text)) this.report.errors.push(text);
    }
    const warning = diagnosticEvent && ownWarning(diagnosticEvent);
    if (warning !== undefined) this.report.warnings.push(warning);
    if (summaryEvent) {
      this.report.counts = { ...summaryEvent.resourceChanges };
    }
  };

  private step({ op, urn, type, new: news }: StepEventMetadata): void {
    if (op === "same" || op === "read" || !news?.custom) return;
    this.progress(`${op} ${type.split(":").at(-1)} ${nameOf(urn)}`);
  }

  private done(metadata: StepEventMetadata): void {
    const { op, urn, type, keys, diffs, detailedDiff } = metadata;
    if (op === "same" || op === "read") return;
    const replaces = keys ?? [];
    const differing = detailedDiff ? Object.keys(detailedDiff) : (diffs ?? []);
    this.report.steps.push({ op, urn, type, name: nameOf(urn), diffs: differing, replaces });
  }
}

/**
 * Runs an operation with a reader of its events.
 * @throws OperationFailure with the report so far
 */
export async function operate(
  progress: Progress,
  operation: (onEvent: (event: EngineEvent) => void) => Promise<unknown>,
): Promise<OperationReport> {
  const reader = new EventReader(progress);
  try {
    await operation(reader.read);
  } catch (error) {
    // The engine ends with an error before its first event when, for one, there is no such stack.
    if (!reader.report.errors.length && !reader.report.violations.length) {
      reader.report.errors.push(missingPart(error) ?? engineError(error));
    }
    throw new OperationFailure(reader.report);
  }
  return reader.report;
}

/** The engine's own words out of the Automation API's error. */
function engineError(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const said = /^ ?stderr: (.*?)(?=^ ?err\?: |(?![\s\S]))/ms.exec(text)?.[1].trim();
  return (said || text)
    .replace(/^Command failed with exit code \d+: .*\n/, "")
    .replace(/^error: /, "");
}

export function nameOf(urn: string): string {
  return urn.split("::").at(-1)!;
}

/** The engine's colours are in its messages as `<{%reset%}>`. */
export function withoutMarkup(text: string): string {
  return text.replace(/<\{%.*?%\}>/g, "").trim();
}
