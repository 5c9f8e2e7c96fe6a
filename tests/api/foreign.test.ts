/**
 * Issue 6, 3.10: an `up` on a namespace with a Helm release that was not adopted stops before it
 * touches anything, and names the way on. The objects are the contract's, made by another manager.
 */
import assert from "node:assert/strict";
import { after, before, describe, it } from "mocha";
import { eventually, within } from "../waits";
import { type Live, newSite, outputOf, type Site, titles, wanted } from "./harness";

const labels = (component: string) => ({
  "app.kubernetes.io/name": "matomo",
  "app.kubernetes.io/instance": "matomo",
  "app.kubernetes.io/component": component,
  "app.kubernetes.io/managed-by": "Helm",
});

function meta(name: string, component: string) {
  return { name, namespace: "matomo", labels: labels(component) };
}

function pods(component: string, claim?: string) {
  const container = { name: component, image: `${component}:1.0.0` };
  const volumes = [{ name: "data", persistentVolumeClaim: { claimName: claim } }];
  return {
    metadata: { labels: labels(component) },
    spec: { containers: [container], ...(claim && { volumes }) },
  };
}

function claim(name: string, component: string, storage: string) {
  return {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: meta(name, component),
    spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage } } },
  };
}

function cronJob(name: string, component: string) {
  const spec = pods(component).spec;
  const template = { ...pods(component), spec: { ...spec, restartPolicy: "Never" } };
  return {
    apiVersion: "batch/v1",
    kind: "CronJob",
    metadata: meta(name, component),
    spec: { schedule: "0 3 1 1 *", jobTemplate: { spec: { template } } },
  };
}

function service(name: string, component: string, port: number) {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: meta(name, component),
    spec: { selector: labels(component), ports: [{ port }] },
  };
}

function secret(name: string, stringData: Record<string, string>) {
  return { apiVersion: "v1", kind: "Secret", metadata: meta(name, "web"), stringData };
}

/** What the release holds that an `up` would otherwise take over or change. */
const RELEASE = [
  { apiVersion: "v1", kind: "Namespace", metadata: { name: "matomo" } },
  secret("matomo", { "matomo-password": "live-password", "matomo-username": "admin" }),
  secret("matomo-mariadb", { "mariadb-password": "live-database-password" }),
  claim("matomo", "web", "10Gi"),
  claim("matomo-backup", "backup", "20Gi"),
  claim("data-matomo-mariadb-0", "mariadb", "8Gi"),
  service("matomo", "web", 80),
  service("matomo-mariadb", "mariadb", 3306),
  {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: meta("matomo", "web"),
    spec: { selector: { matchLabels: labels("web") }, template: pods("web", "matomo") },
  },
  {
    apiVersion: "apps/v1",
    kind: "StatefulSet",
    metadata: meta("matomo-mariadb", "mariadb"),
    spec: {
      serviceName: "matomo-mariadb",
      selector: { matchLabels: labels("mariadb") },
      template: pods("mariadb"),
    },
  },
  cronJob("matomo-archive", "archive"),
  cronJob("matomo-backup", "backup"),
];
const APPLY = ["apply", "--server-side", "--field-manager=helm", "-f", "-"];
const KINDS = "secret,pvc,service,deployment,statefulset,cronjob,networkpolicy,configmap";

describe("a Helm release that was not adopted", () => {
  let site: Site;
  let before_: Live[];

  before(async () => {
    site = await newSite("liberty");
    await site.cluster.kubectl(APPLY, RELEASE.map((object) => JSON.stringify(object)).join("\n"));
    const wait = (objects: string[], condition: string) =>
      site.kubectl("wait", ...objects, `--for=${condition}`, "-n", "matomo", within("podReady"));
    await wait(["pvc", "--all"], "jsonpath={.status.phase}=Bound");
    await wait(["deployment/matomo"], "condition=Available");
    await wait(["sts/matomo-mariadb"], "jsonpath={.status.availableReplicas}=1");
    before_ = await site.list(KINDS);
  });
  after(() => site?.close());

  for (const command of [["preview"], ["up", "--yes", "--skip-preview"], ["up", "--yes"]]) {
    it(`${command.join(" ")} is refused, and names all of it and the way on`, async () => {
      const result = await site.attempt(command);
      assert.notEqual(result.exitCode, 0);
      const output = outputOf(result);
      assert.match(output, /namespace matomo holds a site that this stack did not make/);
      for (const object of RELEASE.slice(1)) {
        const title = `${object.kind}/${(object.metadata as { name: string }).name}`;
        assert.ok(output.includes(title), `${title} in: ${output}`);
      }
      assert.match(output, /npm run fleet -- adopt liberty/);
      assert.match(output, /nothing was touched/);
    });
  }

  it("nothing was touched", async () => {
    assert.deepEqual(wanted(await site.list(KINDS)), wanted(before_));
    const { deployment } = JSON.parse(await site.state());
    const types = (deployment.resources ?? []).map(({ type }: { type: string }) => type);
    assert.ok(!types.some((type: string) => type.startsWith("kubernetes:")), types.join());
  });

  it("and once one object of it is left, it is still refused", async () => {
    for (const kind of ["deployment", "statefulset", "cronjob", "service", "secret"]) {
      await site.kubectl("delete", kind, "--all", "-n", "matomo");
    }
    // They go when the last pod that mounts them is gone.
    await site.kubectl("delete", "pvc", "matomo", "matomo-backup", "-n", "matomo", "--wait=false");
    await eventually("the claims are gone", async () => {
      const left = titles(await site.list("pvc"));
      assert.deepEqual(left, ["PersistentVolumeClaim/data-matomo-mariadb-0"]);
      return true;
    });
    const result = await site.attempt(["up", "--yes", "--skip-preview"]);
    assert.notEqual(result.exitCode, 0);
    assert.match(outputOf(result), /did not make \(PersistentVolumeClaim\/data-matomo-mariadb-0\)/);
  });
});
