/**
 * The pack's own time on synthetic programs of 500 and of 5,000 resources, all in one namespace: the
 * ratio of the two tells whether it grows with the program, or with its square.
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

/** Ten resources of one application. */
function application(n: number): RawResource[] {
  const web = `web-${n}`;
  const recreate = { strategy: { type: "Recreate" } };
  const pod = podSpec({ volumes: [claimVolume(web)] });
  const only = { matchLabels: { [COMPONENT]: web } };
  return [
    workload("Deployment", web, pod, recreate),
    workload("StatefulSet", `db-${n}`),
    workload("CronJob", `job-${n}`),
    { ...claim(web), opts: { protect: true } },
    service(web),
    service(`db-${n}`),
    budget(web),
    policy(web, { podSelector: only, policyTypes: ["Ingress"] }),
    kube("v1", "ConfigMap", web, { data: { "app.yaml": "level: info\nport: 8080\n".repeat(20) } }),
    kube("v1", "ServiceAccount", web, {}),
  ];
}

function program(size: number): RawResource[] {
  const deny = policy("deny", { podSelector: {}, policyTypes: ["Ingress", "Egress"] });
  const applications = Array.from({ length: size / 10 }, (_, n) => application(n)).flat();
  return [...applications.slice(1), change(applications[0], "metadata.labels", {}), deny].map(
    proxied,
  );
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
  console.log(`policy pack, ratio             ${ratio.toFixed(1)} (target below 11)`);
  return { ratio };
}
