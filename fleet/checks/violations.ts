/** Findings of the policy pack as a report tells them, from the rules themselves or by the engine. */
import type { PolicyEvent } from "@pulumi/pulumi/automation/events";
import type { Finding } from "../../policy/core/rule";
import { rules } from "../../policy/rules";
import type { Violation } from "./report";

/** What a rule found in rendered objects. */
export function fromFinding({ rule: name, kind, message }: Finding): Violation {
  const { level, url } = rules.find((rule) => rule.name === name)!;
  return { rule: name, level: kind === "violation" ? level : "advisory", message, url };
}

/** What the engine was told by the pack; the SDK puts the rule's description before the message. */
export function fromEvent({ policyName, enforcementLevel, message }: PolicyEvent): Violation {
  const rule = rules.find(({ name }) => name === policyName);
  const described = rule && message.startsWith(rule.description);
  return {
    rule: policyName,
    level: enforcementLevel === "mandatory" ? "mandatory" : "advisory",
    message: (described ? message.slice(rule.description.length) : message).trim(),
    url: rule?.url,
  };
}
