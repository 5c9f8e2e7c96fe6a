/**
 * Judges many variants of one stack: what did not change is read once, and resource rules, which look
 * at one object, run on what changed.
 */
import { checkResource, checkStack } from "../../../policy/core/pack";
import { ClaimMemory } from "../../../policy/core/memory";
import { KubeObject, RawResource } from "../../../policy/core/objects";
import type { Finding, Rule } from "../../../policy/core/rule";
import { Stack } from "../../../policy/core/stack";
import { rules } from "../../../policy/rules";

const read = new WeakMap<RawResource, KubeObject>();
const judged = new WeakMap<RawResource, Map<Rule, Finding[]>>();

function objectOf(raw: RawResource): KubeObject {
  const object = read.get(raw) ?? new KubeObject(raw);
  read.set(raw, object);
  return object;
}

/**
 * All findings of all rules in a stack, with default settings. Where only some objects are of
 * interest, resource rules are asked about those alone.
 */
export function judge(
  resources: RawResource[],
  only: Rule[] = rules,
  about: RawResource[] = resources,
): Finding[] {
  const stack = new Stack(resources.map(objectOf));
  const memory = new ClaimMemory();
  stack.objects.forEach((object) => memory.remember(object));
  return only.flatMap((rule) => [
    ...about.flatMap((raw) => ofResource(rule, raw, memory)),
    ...checkStack(rule, stack, {}, memory),
  ]);
}

/** Only rwo-workload-recreates asks for more than the object itself, so only that one is asked anew. */
function ofResource(rule: Rule, raw: RawResource, memory: ClaimMemory): Finding[] {
  const before = judged.get(raw) ?? new Map<Rule, Finding[]>();
  judged.set(raw, before);
  const asksMemory = rule.name === "rwo-workload-recreates" && objectOf(raw).is("Deployment");
  const known = asksMemory ? undefined : before.get(rule);
  const findings = known ?? checkResource(rule, objectOf(raw), {}, memory);
  before.set(rule, findings);
  return findings;
}
