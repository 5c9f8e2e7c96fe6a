/** How many pods a workload runs at the least and at the most, and whether two of them at a time. */
import assert from "node:assert/strict";
import { NotKnown } from "../../../policy/core/data";
import { attempt } from "../../../policy/core/logic";
import { KubeObject, RawResource } from "../../../policy/core/objects";
import { hasScale, runsSeveral, Scales } from "../../../policy/core/scale";
import { Stack } from "../../../policy/core/stack";
import type { Tree } from "../support/edit";
import { change, kube, workload } from "../support/objects";
import { UNKNOWN } from "../support/proxy";
import { proxied } from "../support/table";

/** The first of the resources, as a workload of their stack. */
function first(...resources: RawResource[]) {
  const stack = new Stack(resources.map((raw) => new KubeObject(proxied(raw))));
  const one = stack.workloads.find(({ object }) => object.urn === resources[0].urn)!;
  return { one, scales: new Scales(stack) };
}

const pods = (kind: string, spec: Tree = {}) => workload(kind, "web", undefined, spec);
const target = (kind?: string, name = "web") => ({ scaleTargetRef: { kind, name } });
const hpa = (spec: Tree) => kube("autoscaling/v2", "HorizontalPodAutoscaler", "scaler", { spec });
const keda = (spec: Tree) => kube("keda.sh/v1alpha1", "ScaledObject", "scaler", { spec });

describe("the scale of a workload", () => {
  const web = pods("Deployment", { replicas: 2 });
  const here = target("Deployment");
  const rows: [string, RawResource[], number, number][] = [
    ["its replicas", [web], 2, 2],
    ["one by default", [pods("Deployment")], 1, 1],
    ["an autoscaler's", [web, hpa({ ...here, minReplicas: 3, maxReplicas: 9 })], 3, 9],
    ["an autoscaler's by default", [web, hpa(here)], 1, 1],
    ["KEDA's", [web, keda({ ...here, minReplicaCount: 3, maxReplicaCount: 9 })], 3, 9],
    ["KEDA's by default, of a Deployment", [web, keda(target())], 0, 100],
    ["not an autoscaler's of another name", [web, hpa(target("Deployment", "db"))], 2, 2],
    ["not an autoscaler's of another kind", [web, hpa(target("StatefulSet"))], 2, 2],
    ["not an autoscaler's elsewhere", [web, change(hpa(here), "metadata.namespace", "blog")], 2, 2],
    [
      "of two autoscalers its own",
      [web, hpa(target("StatefulSet")), keda({ ...here, minReplicaCount: 4, maxReplicaCount: 5 })],
      4,
      5,
    ],
  ];
  for (const [title, resources, least, most] of rows) {
    it(`is ${title}`, () => {
      const { one, scales } = first(...resources);
      assert.deepEqual([scales.smallest(one), scales.largest(one)], [least, most]);
    });
  }

  it("needs no namespace where nothing is scaled", () => {
    const { one, scales } = first(change(web, "metadata.namespace", UNKNOWN));
    assert.equal(scales.largest(one), 2);
    const scaled = first(change(web, "metadata.namespace", UNKNOWN), hpa(here));
    assert.ok(attempt(() => scaled.scales.largest(scaled.one)) instanceof NotKnown);
  });

  it("is the first of two autoscalers'", () => {
    const two = first(web, hpa({ ...here, maxReplicas: 3 }), keda({ ...here, maxReplicaCount: 9 }));
    assert.equal(two.scales.largest(two.one), 3);
  });

  it("is open while an autoscaler's target is, unless another one is its own", () => {
    const lost = change(hpa({ maxReplicas: 3 }), "spec.scaleTargetRef", UNKNOWN);
    const open = first(web, lost);
    assert.ok(attempt(() => open.scales.largest(open.one)) instanceof NotKnown);
    const own = first(web, lost, keda({ ...here, maxReplicaCount: 9 }));
    assert.equal(own.scales.largest(own.one), 9);
    const other = first(web, lost, keda({ ...target("StatefulSet"), maxReplicaCount: 9 }));
    assert.ok(attempt(() => other.scales.largest(other.one)) instanceof NotKnown);
  });

  it("is what Deployments and their like have", () => {
    const kinds = ["Deployment", "StatefulSet", "ReplicaSet", "ReplicationController"];
    const none = ["DaemonSet", "Job", "CronJob", "Pod"];
    const scaled = [...kinds, ...none].filter((kind) => hasScale(first(pods(kind)).one));
    assert.deepEqual(scaled, kinds);
  });
});

describe("two pods at a time", () => {
  const job = (parallelism: unknown, completions?: number) => ({ parallelism, completions });
  const cron = (concurrencyPolicy: unknown, spec: Tree = {}) =>
    pods("CronJob", { concurrencyPolicy, jobTemplate: { spec } });
  const rows: [string, RawResource[], RegExp | undefined][] = [
    ["of one replica", [pods("Deployment", { replicas: 1 })], undefined],
    ["of two replicas", [pods("Deployment", { replicas: 2 })], /up to 2 pods/],
    [
      "of an autoscaler's most",
      [pods("ReplicaSet"), hpa({ ...target("ReplicaSet"), maxReplicas: 3 })],
      /up to 3 pods/,
    ],
    ["of a bare Pod", [pods("Pod")], undefined],
    ["of a DaemonSet", [pods("DaemonSet")], /one pod on every node/],
    ["of a Job", [pods("Job")], undefined],
    ["of a parallel Job", [pods("Job", job(3))], /parallelism is 3/],
    ["of a parallel Job that ends at once", [pods("Job", job(3, 1))], undefined],
    ["of a Job with two runs", [pods("Job", job(1, 2))], undefined],
    ["of a CronJob that waits", [cron("Forbid")], undefined],
    ["of a CronJob that replaces", [cron("Replace")], undefined],
    ["of a CronJob that does not wait", [cron("Allow")], /a second Job beside the first/],
    ["of a CronJob by default", [cron(undefined)], /a second Job beside the first/],
    ["of a CronJob with a parallel Job", [cron("Forbid", job(2))], /parallelism is 2/],
  ];
  for (const [title, resources, why] of rows) {
    it(`${title}: ${why ?? "never"}`, () => {
      const { one, scales } = first(...resources);
      const reason = runsSeveral(one, scales);
      assert.ok(why ? why.test(reason ?? "") : reason === undefined, reason);
    });
  }
});
