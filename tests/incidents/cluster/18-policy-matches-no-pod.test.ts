/**
 * Incident 18: the network policies selected labels that no pod carried. Nothing was protected by
 * them, and as soon as everything was denied by default, nothing was let through either.
 */
import assert from "node:assert/strict";
import { type Live, titles } from "../../api/harness";
import { type Endpoint, mayConnect, type Policy } from "../../reachability";
import { isOf, useBench } from "./bench";

/** What the old policies selected; the pods carried app.kubernetes.io/name. */
const OLD_LABELS = { app: "matomo" };
/** Pods that somebody else makes: cert-manager, when it orders a certificate. */
const OPERATORS = ["matomo-acme-solver"];
const DATABASE = { port: 3306 };
/** A run of each CronJob, made for these tests. */
const RUNS: Record<string, string> = {
  "matomo-archive": "matomo-archive-incident-18",
  "matomo-backup": "matomo-backup-incident-18",
};

describe("incident 18: network policies whose labels match no pod", () => {
  const bench = useBench("incident-18");
  let policies: (Live & Policy)[];
  let pods: Live[];

  before("a pod of every component was made", async () => {
    const { site } = bench();
    for (const [cronJob, run] of Object.entries(RUNS)) await site.runOnce(cronJob, run);
    policies = (await site.list("networkpolicy")) as (Live & Policy)[];
    pods = (await site.list("pods")).filter(isOurs);
  });
  after(async () => {
    const jobs = [...Object.values(RUNS), "--ignore-not-found"];
    await bench().site.kubectl("delete", "job", ...jobs, "-n", "matomo");
  });

  /** No pod of another file's Job, which may be on its way out. */
  function isOurs({ metadata }: Live): boolean {
    const job = metadata!.labels!["batch.kubernetes.io/job-name"];
    return job === undefined || Object.values(RUNS).includes(job);
  }

  /** Names of the pods that the API server finds by a policy's selector. */
  async function selected(matchLabels: Record<string, string> = {}): Promise<string[]> {
    const selector = Object.entries(matchLabels).map(([key, value]) => `${key}=${value}`);
    const args = ["get", "pods", "-n", "matomo", `--selector=${selector.join()}`, "-o", "json"];
    const { items } = JSON.parse(await bench().site.kubectl(...args)) as { items: Live[] };
    return titles(items.filter(isOurs));
  }

  function end(component: string): Endpoint {
    const { metadata } = pods.find((pod) => isOf(component, pod))!;
    return { name: component, namespace: "matomo", labels: metadata!.labels };
  }

  it("the old labels select nothing, and the database is closed to the site", async () => {
    assert.deepEqual(await selected(OLD_LABELS), []);
    const old = policies.map((policy) => {
      const { podSelector } = policy.spec;
      const isDefaultDeny = Object.keys(podSelector).length === 0;
      const matchLabels = isDefaultDeny ? undefined : OLD_LABELS;
      return { ...policy, spec: { ...policy.spec, podSelector: { matchLabels } } };
    });
    assert.equal(mayConnect(old, end("web"), end("mariadb"), DATABASE), false);
  });

  it("each of ours selects the pods of its own component, and leaves none out", async () => {
    const covered = new Set<string>();
    for (const { metadata, spec } of policies) {
      if (metadata.name === "matomo-default-deny" || OPERATORS.includes(metadata.name!)) continue;
      const names = await selected(spec.podSelector.matchLabels);
      assert.notDeepEqual(names, [], `${metadata.name} selects nothing`);
      const component = spec.podSelector.matchLabels!["app.kubernetes.io/component"];
      const own = pods.filter((pod) => isOf(component, pod));
      assert.deepEqual(names, titles(own));
      names.forEach((name) => covered.add(name));
    }
    assert.equal(covered.size, pods.length);
  });

  it("ours let the site and the backup reach the database, and the archive job not", () => {
    const reaches = (component: string) =>
      mayConnect(policies, end(component), end("mariadb"), DATABASE);
    assert.deepEqual(["web", "backup", "archive"].map(reaches), [true, true, false]);
  });
});
