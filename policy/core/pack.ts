/**
 * Runs rules: on raw resources as the engine passes them, and as policies of the SDK. Nothing here
 * starts a server; only index.ts does.
 */
import type { Policies, ReportViolation } from "@pulumi/policy";
import { z } from "zod";
import { KubeObject, RawResource } from "./objects";
import { Finding, Memory, Report, ResourceRule, Rule, StackRule } from "./rule";
import { ClaimMemory } from "./memory";
import { Exemption, parseSettings } from "./settings";
import { Stack } from "./stack";

/** Whether a rule looks at the whole stack. */
export const isStackRule = (rule: Rule): rule is StackRule => "checkStack" in rule;

/** What a resource rule finds in one object; a stack rule finds nothing here. */
export function checkResource(
  rule: Rule,
  object: KubeObject,
  config: unknown,
  memory: Memory,
): Finding[] {
  return isStackRule(rule)
    ? []
    : run(rule, config, (report, settings) =>
        (rule as ResourceRule<unknown>).check(object, report.judge, settings, memory),
      );
}

/** What a stack rule finds in a stack; a resource rule finds nothing here. */
export function checkStack(rule: Rule, stack: Stack, config: unknown): Finding[] {
  return isStackRule(rule)
    ? run(rule, config, (report, settings) =>
        (rule as StackRule<unknown>).checkStack(stack, report.judge, settings),
      )
    : [];
}

function run(
  rule: Rule,
  config: unknown,
  check: (report: Report, settings: unknown) => void,
): Finding[] {
  const settings = parseSettings(rule.name, rule.settings as z.ZodType<unknown>, config);
  const report = new Report(rule, (settings as { exemptions: Exemption[] }).exemptions);
  check(report, settings);
  return report.finish();
}

/** Every finding of every rule, as the engine would collect them: resources first, then the stack. */
export function checkAll(
  rules: Rule[],
  resources: RawResource[],
  config: Record<string, unknown> = {},
): Finding[] {
  const memory = new ClaimMemory();
  const stack = new Stack(resources.map((raw) => new KubeObject(raw)));
  stack.objects.forEach((object) => memory.remember(object));
  return rules.flatMap((rule) => [
    ...stack.objects.flatMap((o) => checkResource(rule, o, config[rule.name], memory)),
    ...checkStack(rule, stack, config[rule.name]),
  ]);
}

/** The rules as the SDK wants them. */
export function toPolicies(rules: Rule[]): Policies {
  const memory = new ClaimMemory();
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
    return isStackRule(rule)
      ? {
          ...described,
          validateStack: (args, report) => {
            const stack = new Stack(args.resources.map((raw) => new KubeObject(raw)));
            tell(checkStack(rule, stack, args.getConfig()), report);
          },
        }
      : {
          ...described,
          validateResource: (args, report) => {
            const object = new KubeObject(args);
            memory.remember(object);
            tell(checkResource(rule, object, args.getConfig(), memory), report);
          },
        };
  });
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
