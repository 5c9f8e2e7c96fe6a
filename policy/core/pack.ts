/**
 * Runs rules: on raw resources as the engine passes them, and as policies of the SDK. Nothing here
 * starts a server; only index.ts does.
 */
import type {
  Policies,
  ReportViolation,
  ResourceValidation,
  StackValidation,
} from "@pulumi/policy";
import * as z from "zod";
import { unwrap } from "./data";
import { KubeObject, RawResource } from "./objects";
import { Finding, Memory, Report, ResourceRule, Rule, StackRule } from "./rule";
import { ClaimMemory } from "./memory";
import { Exemption, parseSettings } from "./settings";
import { Stack } from "./stack";

/** Whether a rule looks at each object as it comes. */
export const isResourceRule = (rule: Rule): rule is ResourceRule => "check" in rule;

/** Whether a rule looks at the whole stack. */
export const isStackRule = (rule: Rule): rule is StackRule => "checkStack" in rule;

/** What a resource rule finds in one object; a stack rule finds nothing here. */
export function checkResource(
  rule: Rule,
  object: KubeObject,
  config: unknown,
  memory: Memory,
): Finding[] {
  return isResourceRule(rule)
    ? run(rule, config, (report, settings) =>
        (rule as ResourceRule<unknown>).check(object, report.judge, settings, memory),
      )
    : [];
}

/** What a stack rule finds in a stack; a resource rule finds nothing here. */
export function checkStack(rule: Rule, stack: Stack, config: unknown, memory: Memory): Finding[] {
  return isStackRule(rule)
    ? run(rule, config, (report, settings) =>
        (rule as StackRule<unknown>).checkStack(stack, report.judge, settings, memory),
      )
    : [];
}

function run(
  rule: Rule,
  config: unknown,
  check: (report: Report, settings: unknown) => void,
): Finding[] {
  const settings = settingsOf(rule, config);
  const report = new Report(rule, settings.exemptions);
  check(report, settings);
  return report.finish();
}

const parsed = new WeakMap<Rule, { given: string; settings: { exemptions: Exemption[] } }>();

/** A rule's settings, parsed again only when they changed: every resource asks for them. */
function settingsOf(rule: Rule, config: unknown): { exemptions: Exemption[] } {
  const given = JSON.stringify(config ?? {});
  const known = parsed.get(rule);
  if (known?.given === given) return known.settings;
  const schema = rule.settings as z.ZodType<{ exemptions: Exemption[] }>;
  const settings = parseSettings(rule.name, schema, config);
  parsed.set(rule, { given, settings });
  return settings;
}

/** Every finding of every rule, as the engine would collect them: resources first, then the stack. */
export function checkAll(
  rules: Rule[],
  resources: RawResource[],
  config: Record<string, unknown> = {},
): Finding[] {
  const objects = resources.map((raw) => new KubeObject(raw));
  const stack = new Stack(objects);
  return rules.flatMap((rule) => {
    const memory = new ClaimMemory();
    const found = objects.flatMap((object) => {
      memory.remember(object);
      return checkResource(rule, object, config[rule.name], memory);
    });
    return [...found, ...checkStack(rule, stack, config[rule.name], memory)];
  });
}

/** The rules as the SDK wants them. */
export function toPolicies(rules: Rule[]): Policies {
  const memory = new ClaimMemory();
  const seen = new Seen();
  return rules.map((rule) => {
    const described = {
      name: rule.name,
      displayName: rule.title,
      description: rule.description,
      enforcementLevel: rule.level,
      severity: rule.severity,
      remediationSteps: rule.remediation,
      url: rule.url,
      tags: rule.incidents.map((incident) => `incident-${incident}`),
      configSchema: { properties: jsonSchema(rule) },
    };
    const validateResource: ResourceValidation = (args, report) => {
      const object = seen.object(args);
      memory.remember(object);
      tell(checkResource(rule, object, args.getConfig(), memory), report);
    };
    const validateStack: StackValidation = (args, report) => {
      tell(checkStack(rule, seen.stack(args.resources), args.getConfig(), memory), report);
    };
    return {
      ...described,
      ...(isResourceRule(rule) ? { validateResource } : {}),
      ...(isStackRule(rule) ? { validateStack } : {}),
    } as Policies[number];
  });
}

/** The engine's objects, each read once for all rules where the SDK hands out the same properties. */
class Seen {
  private readonly objects = new WeakMap<object, KubeObject>();
  private last = new Stack([]);
  private lastOf: KubeObject[] = [];

  object(raw: RawResource): KubeObject {
    const key = unwrap(raw.props);
    const object = this.objects.get(key) ?? new KubeObject(raw);
    this.objects.set(key, object);
    return object;
  }

  stack(raw: RawResource[]): Stack {
    const objects = raw.map((resource) => this.object(resource));
    const same =
      objects.length === this.lastOf.length && objects.every((o, i) => o === this.lastOf[i]);
    if (!same) {
      this.last = new Stack(objects);
      this.lastOf = objects;
    }
    return this.last;
  }
}

/** The properties of a rule's settings, as JSON schema. */
export function jsonSchema(rule: Rule): Record<string, object> {
  return z.toJSONSchema(rule.settings as z.ZodType, { io: "input" }).properties as Record<
    string,
    object
  >;
}

/**
 * A violation has the rule's level. All else is advisory: the SDK reads a level from an object in
 * place of the message, which its types do not tell.
 */
function tell(findings: Finding[], report: ReportViolation): void {
  for (const { kind, message, urn } of findings) {
    if (kind === "violation") {
      report(message, urn);
    } else {
      report({ message, urn, enforcementLevel: "advisory" } as unknown as string);
    }
  }
}
