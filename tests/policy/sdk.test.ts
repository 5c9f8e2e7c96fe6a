/**
 * The pack behind the SDK's own request handlers: which level a finding gets, what happens to a value
 * that is not known yet, and that no input whatever makes a rule throw, since that fails a preview.
 */
import assert from "node:assert/strict";
import * as fc from "fast-check";
import * as server from "@pulumi/policy/server";
import * as analyzer from "@pulumi/pulumi/proto/analyzer_pb";
import { checkAll, toPolicies } from "../../policy/core/pack";
import type { RawResource } from "../../policy/core/objects";
import { rules } from "../../policy/rules";
import { Tree } from "./support/edit";
import { change, claim, claimVolume, kube, podSpec, workload } from "./support/objects";
import { UNKNOWN } from "./support/proxy";
import { fill } from "./support/requests";

type Handler = (
  call: { request: unknown },
  answer: (error: Error | null, response: analyzer.AnalyzeResponse) => void,
) => void;
type Make = (name: string, version: string, level: string, policies: unknown) => Handler;

type Validate = (args: object, report: () => void) => unknown;

/** The SDK exports these for its own tests and leaves them out of its types. */
const { makeAnalyzeRpcFun, makeAnalyzeStackRpcFun } = server as unknown as Record<string, Make>;

const LEVEL = analyzer.EnforcementLevel;

function ask(
  make: Make,
  request: unknown,
  policies = toPolicies(rules),
): Promise<analyzer.AnalyzeDiagnostic.AsObject[]> {
  const handler = make("pack", "0.1.0", "advisory", policies);
  return new Promise((resolve, reject) => {
    handler({ request }, (error, response) =>
      error ? reject(error) : resolve(response.toObject().diagnosticsList),
    );
  });
}

const ofResource = (raw: RawResource) =>
  ask(makeAnalyzeRpcFun, fill(new analyzer.AnalyzeRequest(), raw));

function stackOf(resources: RawResource[]) {
  const request = new analyzer.AnalyzeStackRequest();
  request.setResourcesList(resources.map((raw) => fill(new analyzer.AnalyzerResource(), raw)));
  return request;
}

const ofStack = (resources: RawResource[]) => ask(makeAnalyzeStackRpcFun, stackOf(resources));

/** The rules that tell something. */
const namesOf = async (...asked: Parameters<typeof ask>) =>
  (await ask(...asked)).map(({ policyname }) => policyname);

const web = workload("Deployment", "web");
const IMAGE = "spec.template.spec.containers[0].image";

describe("the pack behind the SDK", () => {
  it("is silent about a good resource", async () => {
    assert.deepEqual(await ofResource(web), []);
  });

  it("blocks by a mandatory rule, with its severity", async () => {
    const [told, ...more] = await ofResource(change(web, IMAGE, "app"));
    assert.equal(told.policyname, "image-is-pinned");
    assert.equal(told.enforcementlevel, LEVEL.MANDATORY);
    assert.equal(told.severity, analyzer.PolicySeverity.POLICY_SEVERITY_HIGH);
    assert.match(
      told.message,
      /^Every image has a tag that stays, or a digest\.\nDeployment shop\/web/,
    );
    assert.deepEqual(more, []);
  });

  it("tells what is not known yet once, as an advisory, beside what is", async () => {
    const told = await ofResource(change(change(web, "spec.strategy", UNKNOWN), IMAGE, UNKNOWN));
    assert.deepEqual(
      told.map(({ policyname, enforcementlevel }) => [policyname, enforcementlevel]),
      [["image-is-pinned", LEVEL.ADVISORY]],
    );
    assert.match(told[0].message, /not judged yet: .*image not known yet/);
  });

  it("tells an advisory finding of a mandatory rule as an advisory", async () => {
    const bare = change(workload("Job", "job"), "spec.template.spec.containers[0].resources", {});
    const told = await ofResource(bare);
    assert.ok(told.length > 0 && told.every((d) => d.enforcementlevel === LEVEL.ADVISORY));
  });

  it("is told with its incidents as tags, and its settings as a schema", () => {
    const policies = toPolicies(rules);
    const named = (name: string) => policies.find((policy) => policy.name === name)!;
    assert.deepEqual(named("rwo-volume-not-shared").tags, ["incident-2", "incident-13"]);
    assert.deepEqual(named("workloads-are-analysed").tags, []);
    const { properties } = named("data-is-protected").configSchema!;
    assert.deepEqual(Object.keys(properties).sort(), ["exemptions", "retained", "types"]);
  });

  it("names the resource that a stack rule found", async () => {
    const mounting = (kind: string, name: string) =>
      workload(kind, name, podSpec({ volumes: [claimVolume("data")] }));
    const archive = mounting("CronJob", "archive");
    const told = await ofStack([mounting("Deployment", "web"), archive]);
    const rwo = told.filter(({ policyname }) => policyname === "rwo-volume-not-shared");
    assert.deepEqual(
      rwo.map(({ urn, enforcementlevel }) => [urn, enforcementlevel]),
      [[archive.urn, LEVEL.MANDATORY]],
    );
  });

  it("lets an unknown value end one judgement of a stack rule and no other", async () => {
    const lone = change(workload("Pod", "lone"), "metadata.namespace", UNKNOWN);
    const told = await ofStack([kube("v1", "PersistentVolumeClaim", "data", { spec: {} }), lone]);
    const protect = told.filter(({ policyname }) => policyname === "data-is-protected");
    assert.equal(protect.length, 1);
    assert.ok(told.some(({ message }) => message.includes("not judged yet: metadata.namespace")));
  });

  it("reads properties once for all rules", async () => {
    let reads = 0;
    const counted = {
      get: (target: object, key: string) => {
        if (key === "spec") reads++;
        return Reflect.get(target, key) as unknown;
      },
    };
    const args = { ...web, props: new Proxy(web.props, counted), getConfig: () => ({}) };
    const resources = [args];
    for (const policy of toPolicies(rules) as unknown as Record<string, Validate | undefined>[]) {
      await policy.validateResource?.(args, assert.fail);
      await policy.validateStack?.({ resources, getConfig: args.getConfig }, () => undefined);
    }
    assert.equal(reads, 1);
  });

  it("judges a stack again whose objects changed since", async () => {
    const policies = toPolicies(rules);
    const told = (kind: string) => {
      const pod = podSpec({ volumes: [claimVolume("data")] });
      const resources = [workload("Deployment", "web", pod), workload(kind, "other", pod)];
      return namesOf(makeAnalyzeStackRpcFun, stackOf(resources), policies);
    };
    assert.ok(!(await told("ConfigMap")).includes("rwo-volume-not-shared"));
    assert.ok((await told("CronJob")).includes("rwo-volume-not-shared"));
  });

  describe("a Deployment and its claim", () => {
    const web = workload("Deployment", "web", podSpec({ volumes: [claimVolume("data")] }));
    const volumes = [claimVolume("late"), claimVolume("data")];
    const both = workload("Deployment", "web", podSpec({ volumes }));
    const own = claim("data");
    const shared = claim("data", { accessModes: ["ReadWriteMany"] });

    /** How often rwo-workload-recreates tells of web: as it comes, and at the end. */
    async function told(resources: RawResource[]): Promise<[number, number]> {
      const policies = toPolicies(rules);
      const atOnce: string[] = [];
      for (const raw of resources) {
        const request = fill(new analyzer.AnalyzeRequest(), raw);
        atOnce.push(...(await namesOf(makeAnalyzeRpcFun, request, policies)));
      }
      const request = stackOf(resources);
      const atEnd = await namesOf(makeAnalyzeStackRpcFun, request, policies);
      const ours = (names: string[]) =>
        names.filter((name) => name === "rwo-workload-recreates").length;
      return [ours(atOnce), ours(atEnd)];
    }

    const rows: [string, RawResource[], [number, number]][] = [
      ["is blocked by the claim that came before", [own, web], [1, 0]],
      ["is blocked by it beside a claim that comes later", [own, both], [1, 0]],
      ["passes by a claim that many may mount", [shared, web], [0, 0]],
      ["passes by such a claim that comes later", [web, shared], [0, 0]],
      ["fails at the end by its own claim that comes later", [web, own], [0, 1]],
      ["fails at the end by a claim that never comes", [web], [0, 1]],
    ];
    for (const [title, resources, expected] of rows) {
      it(title, async () => assert.deepEqual(await told(resources), expected));
    }
  });
});

describe("odd input", () => {
  const kinds = ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob", "Pod"];
  const others = ["Service", "ConfigMap", "NetworkPolicy", "PodDisruptionBudget"];
  const volumes = ["PersistentVolume", "PersistentVolumeClaim", "HorizontalPodAutoscaler"];
  const keys = fc.constantFrom(
    ..."metadata name namespace labels annotations spec template selector matchLabels containers image env value volumes persistentVolumeClaim claimName strategy rollingUpdate maxSurge securityContext capabilities drop ports resources limits memory policyTypes ingress from to ipBlock cidr podSelector matchExpressions key operator values jobTemplate schedule data accessModes csi volumeHandle".split(
      " ",
    ),
  );
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { depthSize: "medium" },
      fc.constantFrom(null, true, 0, -1, 1.5, "", "x", "100%", "In", UNKNOWN),
      fc.array(tie("tree"), { maxLength: 3 }),
      fc.dictionary(keys, tie("tree"), { maxKeys: 6 }),
    ),
  }));

  it("makes no rule throw", () => {
    const resources = fc.array(
      fc.record({
        kind: fc.constantFrom(...kinds, ...others, ...volumes),
        spec: tree,
        metadata: tree,
      }),
      { maxLength: 4 },
    );
    fc.assert(
      fc.property(resources, (objects) => {
        const raw = objects.map(({ kind, spec, metadata }, i) => ({
          ...kube("v1", kind, `o${i}`, {}),
          props: { apiVersion: groups[kind] ?? "v1", kind, metadata, spec, data: spec } as Tree,
        }));
        checkAll(rules, raw);
      }),
      { numRuns: 500, seed: 7 },
    );
  });

  const groups: Record<string, string> = {
    Deployment: "apps/v1",
    StatefulSet: "apps/v1",
    DaemonSet: "apps/v1",
    ReplicaSet: "apps/v1",
    Job: "batch/v1",
    CronJob: "batch/v1",
    NetworkPolicy: "networking.k8s.io/v1",
    PodDisruptionBudget: "policy/v1",
    HorizontalPodAutoscaler: "autoscaling/v2",
  };
});
