/**
 * Each namespace with workloads denies ingress and egress by default, and no rule opens it again.
 *
 * The old policies matched no pod, so nothing was protected (incident 18). Policies only add up: one
 * rule that is open to any address on any port undoes all others, and without a policy for every pod a
 * new component starts with no policy at all (decision 6). Leaving some ranges out of any address
 * closes nothing: what remains is whoever there is on the Internet.
 */
import { Direction, denies, isAbout, openTo, rulesOf } from "../core/network";
import { anyOf, attempt, orElse } from "../core/logic";
import { NotKnown } from "../core/data";
import { KubeObject } from "../core/objects";
import { Fault, Judge, stackRule } from "../core/rule";
import { exemptNamespaces, objectNames, settings } from "../core/settings";
import { push, Stack } from "../core/stack";

const DIRECTIONS: Direction[] = ["ingress", "egress"];

export default stackRule({
  name: "network-default-deny",
  title: "The network denies by default",
  description: "Each namespace with workloads denies ingress and egress by default.",
  level: "mandatory",
  severity: "high",
  incidents: [18],
  remediation:
    "Add a NetworkPolicy with an empty podSelector and policyTypes Ingress and Egress, then one rule for each real flow.",
  url: "https://kubernetes.io/docs/concepts/services-networking/network-policies/#default-policies",
  settings: settings({
    exemptNamespaces,
    openPolicies: objectNames
      .default([])
      .describe("policies, as namespace/name, with rules that are meant to be open"),
  }),

  checkStack(stack, judge, { exemptNamespaces, openPolicies }) {
    const policies = stack.all("NetworkPolicy");
    for (const policy of policies) {
      judgeRules(policy, judge, exemptNamespaces, openPolicies);
    }
    const places = new Map<string, KubeObject[]>();
    const nowhere: { policy: KubeObject; unknown: NotKnown }[] = [];
    for (const policy of policies) {
      const namespace = attempt(() => policy.namespace());
      if (namespace instanceof NotKnown) {
        nowhere.push({ policy, unknown: namespace });
      } else {
        push(places, namespace, policy);
      }
    }
    const homes = namespaceObjects(stack);
    for (const [namespace, first] of namespacesWithWorkloads(stack, judge)) {
      if (exemptNamespaces.includes(namespace)) {
        continue;
      }
      const here = places.get(namespace) ?? [];
      for (const direction of DIRECTIONS) {
        const told = teller(here, homes.get(namespace) ?? first);
        judge(told, () => undenied(namespace, direction, here, nowhere));
      }
    }
  },
});

/** The namespaces that the stack makes, by name. */
function namespaceObjects(stack: Stack): Map<string, KubeObject> {
  const homes = new Map<string, KubeObject>();
  for (const home of stack.all("Namespace")) {
    attempt(() => homes.set(home.name(), home));
  }
  return homes;
}

function namespacesWithWorkloads(stack: Stack, judge: Judge): Map<string, KubeObject> {
  const first = new Map<string, KubeObject>();
  for (const { object } of stack.workloads) {
    judge(object, () => {
      const namespace = object.namespace();
      if (!first.has(namespace)) {
        first.set(namespace, object);
      }
    });
  }
  return first;
}

/** The policy that was meant to deny by default, if one looks like it; else the namespace. */
function teller(policies: KubeObject[], place: KubeObject): KubeObject {
  const forAll = policies.find((p) =>
    orElse(() => p.view.at("spec", "podSelector").isEmpty(), false),
  );
  return forAll ?? policies.find((p) => orElse(() => denies(p.view), false)) ?? place;
}

function undenied(
  namespace: string,
  direction: Direction,
  policies: KubeObject[],
  nowhere: { unknown: NotKnown }[],
): Fault | undefined {
  const denied = anyOf([
    ...policies.map((policy) => () => {
      const everyPod = policy.view.at("spec", "podSelector").isEmpty();
      return everyPod && isAbout(policy.view, direction);
    }),
    ...nowhere.map(({ unknown }) => (): boolean => {
      throw unknown;
    }),
  ]);
  return denied
    ? undefined
    : {
        at: "spec.policyTypes",
        found: `no policy denies ${direction} to every pod of namespace ${namespace}`,
        fix: "Add a NetworkPolicy with an empty podSelector and policyTypes Ingress and Egress, without rules.",
      };
}

function judgeRules(
  policy: KubeObject,
  judge: Judge,
  exemptNamespaces: string[],
  openPolicies: string[],
): void {
  for (const direction of DIRECTIONS) {
    judge(policy, () => {
      for (const rule of rulesOf(policy.view, direction)) {
        judge(policy, () => {
          const open = isAbout(policy.view, direction) ? openTo(rule, direction) : undefined;
          return !open ||
            openPolicies.includes(policy.key()) ||
            exemptNamespaces.includes(policy.namespace())
            ? undefined
            : {
                at: rule,
                found: `the rule is open to ${open} on any port`,
                fix: "Name the peers or the ports; a policy that is meant to be open is named in openPolicies.",
              };
        });
      }
    });
  }
}
