/**
 * The pack's own time on synthetic programs of 500 and of 5,000 resources, half of them in one namespace
 * and the others in many: the ratio tells whether it grows with the program, or with its square.
 */
import { checkAll } from "../../policy/core/pack";
import type { RawResource } from "../../policy/core/objects";
import { rules } from "../../policy/rules";
import {
  budget,
  change,
  claim,
  claimVolume,
  COMPONENT,
  kube,
  podSpec,
  policy,
  service,
  workload,
} from "../policy/support/objects";
import { proxied } from "../policy/support/table";

const RUNS = 5;

/** Eleven resources of one application. */
function application(n: number): RawResource[] {
  const [web, db, job] = ["web", "db", "job"].map((name) => `${name}-${n}`);
  const pod = podSpec({ volumes: [claimVolume(web)] });
  const only = { matchLabels: { [COMPONENT]: web } };
  const withToken = podSpec({ serviceAccountName: job, automountServiceAccountToken: true });
  const target = { apiVersion: "apps/v1", kind: "StatefulSet", name: db };
  return [
    workload("Deployment", web, pod, { strategy: { type: "Recreate" } }),
    workload("StatefulSet", db),
    workload("CronJob", job, withToken),
    { ...claim(web), opts: { protect: true } },
    service(web),
    budget(web),
    policy(web, { podSelector: only, policyTypes: ["Ingress"] }),
    kube("v1", "ConfigMap", web, { data: { "app.yaml": "level: info\nport: 8080\n".repeat(20) } }),
    kube("v1", "ServiceAccount", job, {}),
    kube("rbac.authorization.k8s.io/v1", "RoleBinding", job, {
      subjects: [{ kind: "ServiceAccount", name: job }],
    }),
    kube("autoscaling/v2", "HorizontalPodAutoscaler", db, {
      spec: { scaleTargetRef: target, maxReplicas: 3 },
    }),
  ];
}

const deny = policy("deny", { podSelector: {}, policyTypes: ["Ingress", "Egress"] });

/** An application with a namespace of its own, and one in the namespace that all share: 25 resources. */
function twoApplications(n: number): RawResource[] {
  const namespace = `shop-${n}`;
  const role = kube("rbac.authorization.k8s.io/v1", "Role", "reader", { rules: [] });
  const own = [deny, role, ...application(2 * n)].map((raw) => ({
    ...change(raw, "metadata.namespace", namespace),
    urn: `${raw.urn}-${n}`,
  }));
  const home = change(kube("v1", "Namespace", namespace, {}), "metadata.namespace", undefined);
  return [home, ...own, ...application(2 * n + 1)];
}

function program(size: number): RawResource[] {
  const applications = Array.from({ length: size / 25 }, (_, n) => twoApplications(n)).flat();
  return [deny, ...applications].map(proxied);
}

/** The least of several runs, in milliseconds: other load only ever adds. */
function measure(size: number): number {
  const resources = program(size);
  const times = Array.from({ length: RUNS }, () => {
    const start = performance.now();
    const findings = checkAll(rules, resources);
    if (findings.length > 0) {
      throw new Error(`the synthetic program breaks a rule: ${findings[0].message}`);
    }
    return performance.now() - start;
  });
  return Math.min(...times);
}

/** Prints both times and their ratio; the target for ten times the resources is below 11. */
export function benchPolicy(): { ratio: number } {
  measure(500);
  const small = measure(500);
  const large = measure(5000);
  const ratio = large / small;
  console.log(`policy pack, 500 resources     ${small.toFixed(0)} ms`);
  console.log(`policy pack, 5,000 resources   ${large.toFixed(0)} ms`);
  console.log(
    `policy pack, ratio             ${ratio.toFixed(1)} (target below 11, met: ${ratio < 11 ? "yes" : "no"})`,
  );
  return { ratio };
}
