/**
 * Issue 6, 3.1: each stack goes up from nothing to the objects of the names contract, nothing is
 * left to do afterwards, and two stacks go up at the same time.
 */
import assert from "node:assert/strict";
import { after, before, describe, it } from "mocha";
import { type Live, newSite, sharedSite, type Site, titles } from "./harness";

/** Objects of the contract in the namespace, with what the program adds to them. */
const OBJECTS = [
  "ConfigMap/matomo-archive",
  "ConfigMap/matomo-backup",
  "ConfigMap/matomo-config",
  "ConfigMap/matomo-mariadb",
  "ConfigMap/matomo-scripts",
  "CronJob/matomo-archive",
  "CronJob/matomo-backup",
  "Deployment/matomo",
  "Ingress/matomo",
  "NetworkPolicy/matomo",
  "NetworkPolicy/matomo-acme-solver",
  "NetworkPolicy/matomo-archive",
  "NetworkPolicy/matomo-backup",
  "NetworkPolicy/matomo-default-deny",
  "NetworkPolicy/matomo-mariadb",
  "PersistentVolumeClaim/data-matomo-mariadb-0",
  "PersistentVolumeClaim/matomo",
  "PersistentVolumeClaim/matomo-backup",
  "PodDisruptionBudget/matomo",
  "PodDisruptionBudget/matomo-mariadb",
  "Role/matomo-backup",
  "RoleBinding/matomo-backup",
  "Secret/matomo",
  "Secret/matomo-backup",
  "Secret/matomo-mariadb",
  "Service/matomo",
  "Service/matomo-mariadb",
  "ServiceAccount/matomo",
  "ServiceAccount/matomo-backup",
  "StatefulSet/matomo-mariadb",
];
const KINDS =
  "configmap,cronjob,deployment,ingress,networkpolicy,pvc,pdb,role,rolebinding,secret,service," +
  "serviceaccount,statefulset";
/** What Kubernetes and cert-manager put there themselves. */
const NOT_OURS =
  /^(ConfigMap\/kube-root-ca.crt|ServiceAccount\/default|Secret\/(matomo-tls|letsencrypt-.*))/;

function selector(component: string) {
  return {
    "app.kubernetes.io/name": "matomo",
    "app.kubernetes.io/instance": "matomo",
    "app.kubernetes.io/component": component,
  };
}

/** The stacks in pairs: each pair goes up at the same time. */
for (const pair of [
  ["liberty", "yonks"],
  ["personal", "local"],
]) {
  describe(`stacks ${pair.join(" and ")}`, () => {
    const sites: Record<string, Site> = {};

    before("up at the same time", async () => {
      const made = await Promise.allSettled(pair.map(goUp));
      made.forEach((result, i) => {
        if (result.status === "rejected") throw result.reason;
        sites[pair[i]] = result.value;
      });
    });
    after(async () => {
      await Promise.all(pair.map((stack) => sites[stack]?.close()));
    });

    for (const stack of pair) {
      it(`${stack}: the objects of the contract, by their exact names`, async () => {
        const names = titles(await sites[stack].list(KINDS)).filter((name) => !NOT_OURS.test(name));
        assert.deepEqual(names, OBJECTS);
      });

      it(`${stack}: Secrets with exactly the contract's keys, and a type`, async () => {
        for (const [name, keys] of Object.entries({
          matomo: ["archive-token", "matomo-email", "matomo-password", "matomo-username"],
          "matomo-mariadb": ["mariadb-password", "mariadb-root-password", "mariadb-username"],
        })) {
          const { data, type } = await sites[stack].get("secret", name);
          assert.deepEqual(Object.keys(data).sort(), keys);
          assert.equal(type, "Opaque");
        }
        const site = await sites[stack].secret("matomo");
        assert.match(site["archive-token"], /^[0-9a-f]{32}$/);
        assert.equal(site["matomo-username"], "admin");
        assert.equal(site["matomo-email"], `admin@${stack}.example.com`);
        const database = await sites[stack].secret("matomo-mariadb");
        assert.equal(database["mariadb-username"], "mariadb-admin");
      });

      it(`${stack}: claims of the contract's sizes, class and mode, Bound`, async () => {
        const claims = await sites[stack].list("pvc");
        const seen = claims.map(({ metadata, spec, status }) => [
          metadata!.name,
          spec.resources.requests.storage,
          spec.storageClassName,
          spec.accessModes.join(),
          status.phase,
        ]);
        assert.deepEqual(seen, [
          ["data-matomo-mariadb-0", "8Gi", "do-block-storage", "ReadWriteOnce", "Bound"],
          ["matomo", "10Gi", "do-block-storage", "ReadWriteOnce", "Bound"],
          ["matomo-backup", "20Gi", "do-block-storage", "ReadWriteOnce", "Bound"],
        ]);
      });

      it(`${stack}: selectors of the contract; the claim is the template's`, async () => {
        const site = sites[stack];
        const deployment = await site.get("deployment", "matomo");
        const database = await site.get("statefulset", "matomo-mariadb");
        assert.deepEqual(deployment.spec.selector.matchLabels, selector("web"));
        assert.equal(deployment.spec.strategy.type, "Recreate");
        assert.deepEqual(database.spec.selector.matchLabels, selector("mariadb"));
        assert.equal(database.spec.serviceName, "matomo-mariadb");
        assert.equal(database.spec.volumeClaimTemplates[0].metadata.name, "data");
        // Made first, or the StatefulSet makes one of its own, which may have another volume.
        const { resources } = JSON.parse(await site.state()).deployment;
        const server = resources.find(({ urn }: { urn: string }) =>
          /StatefulSet::server$/.test(urn),
        );
        const claim = /PersistentVolumeClaim::database$/;
        assert.ok(server.dependencies.some((urn: string) => claim.test(urn)));
        const web = await site.get("service", "matomo");
        assert.deepEqual(web.spec.selector, selector("web"));
        const mariadb = await site.get("service", "matomo-mariadb");
        assert.deepEqual(mariadb.spec.selector, selector("mariadb"));
        assert.equal(mariadb.spec.ports[0].port, 3306);
        const role = await site.get("role", "matomo-backup");
        assert.deepEqual(role.rules, [
          {
            apiGroups: [""],
            resources: ["pods", "persistentvolumeclaims"],
            verbs: ["get", "list"],
          },
        ]);
        for (const [name, schedule] of [
          ["matomo-archive", "5 * * * *"],
          ["matomo-backup", "0 3 * * *"],
        ]) {
          const { spec } = await site.get("cronjob", name);
          assert.equal(spec.schedule, schedule);
          assert.equal(spec.concurrencyPolicy, "Forbid");
        }
      });

      it(`${stack}: the pods are Ready under enforced restricted Pod Security`, async () => {
        const site = sites[stack];
        const namespace = JSON.parse(await site.kubectl("get", "ns", "matomo", "-o", "json"));
        for (const mode of ["enforce", "audit", "warn"]) {
          assert.equal(
            namespace.metadata.labels[`pod-security.kubernetes.io/${mode}`],
            "restricted",
          );
        }
        const isOfJob = ({ metadata }: Live) =>
          metadata!.ownerReferences?.some(({ kind }) => kind === "Job");
        // A scheduled run may have been due since.
        const pods = (await site.list("pods")).filter((pod) => !isOfJob(pod));
        const ready = pods.map(({ metadata, status }) => [
          metadata!.labels!["app.kubernetes.io/component"],
          status.conditions.find(({ type }: { type: string }) => type === "Ready")?.status,
        ]);
        assert.deepEqual(ready.sort(), [
          ["mariadb", "True"],
          ["web", "True"],
        ]);
        await jobsAreAdmitted(site);
      });

      it(`${stack}: nothing is left to do, in the program's eyes and in the cluster's`, async () => {
        await sites[stack].expectUnchanged();
      });

      it(`${stack}: the outputs say where the site is, and no secret`, async () => {
        const { stdout } = await sites[stack].pulumi(["stack", "output", "--json"]);
        const outputs = JSON.parse(stdout);
        assert.equal(outputs.url, `https://matomo.${stack}.example.com/`);
        assert.equal(outputs.adminUser, "admin");
        assert.match(outputs.trackingSnippet, /setSiteId", "1"/);
        assert.equal(outputs.namespace, "matomo");
        assert.deepEqual(outputs.schedules, { archive: "5 * * * *", backup: "0 3 * * *" });
        assert.ok(outputs.nextSteps.length >= 2);
        assert.ok(!stdout.includes((await sites[stack].secret("matomo"))["matomo-password"]));
      });
    }

    // Other files have made this one: a password that follows from the stack would be in both.
    if (pair.includes("liberty")) {
      it("liberty: no password or token is that of another site of the same stack", async () => {
        const both = await Promise.all([sites.liberty, await sharedSite("liberty")].map(secretsOf));
        assert.deepEqual(
          both.map((values) => values.length),
          [5, 5],
        );
        assert.equal(new Set(both.flat()).size, 10);
      });
    }
  });
}

/**
 * A site of this file alone: the shared ones were up before. Its schedules are the contract's, so that
 * the clock may make a Job at any time; no test here counts Jobs or their pods.
 */
async function goUp(stack: string): Promise<Site> {
  const site = await newSite(stack, { "matomo:archive": {}, "matomo:backup": {} });
  await site.up();
  return site;
}

async function secretsOf(site: Site): Promise<string[]> {
  return Object.values(await site.passwords());
}

/** A job of each CronJob gets a pod that Pod Security admits, and completes. */
async function jobsAreAdmitted(site: Site): Promise<void> {
  for (const name of ["matomo-archive", "matomo-backup"]) {
    await site.runOnce(name, `${name}-now`);
    await site.kubectl("delete", "job", `${name}-now`, "-n", "matomo");
  }
}
