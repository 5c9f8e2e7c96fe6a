/** The names, keys and selectors that live clusters depend on (design.md), and what is kept. */
import assert from "node:assert/strict";
import { MINIMAL, type Rendered, render, renderSite } from "../../render";
import { OFFSITE, SCENARIOS } from "../../scenarios";

const kindOf = ({ type }: Rendered) => type.split(":").at(-1)!;
const objects = (resources: Rendered[], kind: string) =>
  resources.filter((resource) => kindOf(resource) === kind && resource.props.metadata);
const names = (resources: Rendered[], kind: string) =>
  objects(resources, kind).map(({ props }) => props.metadata.name as string);
const named = (resources: Rendered[], kind: string, name: string) => {
  const found = objects(resources, kind).find(({ props }) => props.metadata.name === name);
  assert.ok(found, `${kind}/${name} is not there`);
  return found.props;
};
const selector = (component: string) => ({
  "app.kubernetes.io/name": "matomo",
  "app.kubernetes.io/instance": "matomo",
  "app.kubernetes.io/component": component,
});

/** Everything that is made, by kind; incident numbers are those of docs/incidents.md. */
const CONTRACT: Record<string, string[]> = {
  Namespace: ["matomo"],
  Deployment: ["matomo"],
  StatefulSet: ["matomo-mariadb"],
  Service: ["matomo", "matomo-mariadb"],
  Ingress: ["matomo"],
  Secret: ["matomo", "matomo-backup", "matomo-mariadb"],
  PersistentVolumeClaim: ["data-matomo-mariadb-0", "matomo", "matomo-backup"],
  CronJob: ["matomo-archive", "matomo-backup"],
  ServiceAccount: ["matomo", "matomo-backup"],
  Role: ["matomo-backup"],
  RoleBinding: ["matomo-backup"],
  PodDisruptionBudget: ["matomo", "matomo-mariadb"],
  ConfigMap: [
    "matomo-archive",
    "matomo-backup",
    "matomo-config",
    "matomo-mariadb",
    "matomo-scripts",
  ],
  NetworkPolicy: [
    "matomo",
    "matomo-acme-solver",
    "matomo-archive",
    "matomo-backup",
    "matomo-default-deny",
    "matomo-mariadb",
  ],
  Issuer: ["letsencrypt-staging"],
};

describe("the contract of names", () => {
  let site: Rendered[];
  before(async () => {
    site = await render();
  });

  for (const [kind, expected] of Object.entries(CONTRACT)) {
    it(kind, () => assert.deepEqual(names(site, kind).sort(), expected));
  }

  it("nothing else", () => {
    const made = site.filter(({ props }) => props.metadata).map(kindOf);
    assert.deepEqual([...new Set(made)].sort(), Object.keys(CONTRACT).sort());
  });

  it("keys of the Secrets", () => {
    const keys = (name: string) => Object.keys(named(site, "Secret", name).stringData).sort();
    assert.deepEqual(keys("matomo"), [
      "archive-token",
      "matomo-email",
      "matomo-password",
      "matomo-username",
    ]);
    assert.deepEqual(keys("matomo-mariadb"), [
      "mariadb-password",
      "mariadb-root-password",
      "mariadb-username",
    ]);
    assert.deepEqual(keys("matomo-backup"), ["state-token"]);
    assert.equal(
      named(site, "Secret", "matomo-mariadb").stringData["mariadb-username"],
      "mariadb-admin",
    );
  });

  it("selectors with the component", () => {
    assert.deepEqual(
      named(site, "Deployment", "matomo").spec.selector.matchLabels,
      selector("web"),
    );
    assert.deepEqual(
      named(site, "StatefulSet", "matomo-mariadb").spec.selector.matchLabels,
      selector("mariadb"),
    );
    assert.deepEqual(named(site, "Service", "matomo").spec.selector, selector("web"));
    assert.deepEqual(named(site, "Service", "matomo-mariadb").spec.selector, selector("mariadb"));
    assert.equal(named(site, "Service", "matomo-mariadb").spec.ports[0].port, 3306);
    assert.equal(named(site, "Service", "matomo").spec.ports[0].port, 80);
  });

  it("claims and their template", () => {
    const claim = (name: string) => {
      const { spec } = named(site, "PersistentVolumeClaim", name);
      assert.deepEqual(spec.accessModes, ["ReadWriteOnce"]);
      assert.equal(spec.storageClassName, "do-block-storage");
      return spec.resources.requests.storage;
    };
    assert.equal(claim("matomo"), "10Gi");
    assert.equal(claim("matomo-backup"), "20Gi");
    assert.equal(claim("data-matomo-mariadb-0"), "8Gi");
    const [template] = named(site, "StatefulSet", "matomo-mariadb").spec.volumeClaimTemplates;
    assert.equal(template.metadata.name, "data");
    assert.equal(template.spec.resources.requests.storage, "8Gi");
  });

  it("rights of the backup's account", () => {
    const { rules } = named(site, "Role", "matomo-backup");
    assert.deepEqual(rules, [
      { apiGroups: [""], resources: ["pods", "persistentvolumeclaims"], verbs: ["get", "list"] },
    ]);
  });

  it("schedules, deadlines and histories", () => {
    const archive = named(site, "CronJob", "matomo-archive").spec;
    const backup = named(site, "CronJob", "matomo-backup").spec;
    assert.equal(archive.schedule, "5 * * * *");
    assert.equal(backup.schedule, "0 3 * * *");
    assert.equal(backup.jobTemplate.spec.backoffLimit, 2);
    for (const { concurrencyPolicy, successfulJobsHistoryLimit, jobTemplate } of [
      archive,
      backup,
    ]) {
      assert.equal(concurrencyPolicy, "Forbid");
      assert.equal(successfulJobsHistoryLimit, 1);
      assert.ok(jobTemplate.spec.activeDeadlineSeconds > 0);
    }
    const claims = archive.jobTemplate.spec.template.spec.volumes.filter(
      (volume: object) => "persistentVolumeClaim" in volume,
    );
    assert.deepEqual(claims, [], "incident 2: the archive job mounts no claim");
  });
});

describe("off-site", () => {
  let site: Rendered[];
  let spec: Rendered["props"];
  before(async () => {
    site = await render(SCENARIOS.offsite);
    spec = named(site, "CronJob", "matomo-backup").spec.jobTemplate.spec;
  });

  it("it is brought by a container of its own, after the proof, with the volume read-only", () => {
    const { initContainers, containers } = spec.template.spec;
    const names = (list: { name: string }[]) => list.map(({ name }) => name);
    assert.deepEqual(names(initContainers), ["state", "backup"]);
    assert.deepEqual(names(containers), ["offsite"]);
    const mounts: { name: string; readOnly?: boolean }[] = containers[0].volumeMounts;
    assert.equal(mounts.find(({ name }) => name === "backup")!.readOnly, true);
    const others = initContainers.flatMap(
      ({ volumeMounts }: { volumeMounts: { name: string }[] }) => names(volumeMounts),
    );
    assert.ok(!others.includes("offsite-credentials"), "it alone has the bucket's key");
  });

  it("a failure there is no reason to dump once more", () => {
    const [drained, failed] = spec.podFailurePolicy.rules;
    assert.equal(drained.action, "Count");
    assert.deepEqual(failed, {
      action: "FailJob",
      onExitCodes: { containerName: "offsite", operator: "NotIn", values: [0] },
    });
  });

  it("the key and the password are in the Secret alone", () => {
    const { stringData } = named(site, "Secret", "matomo-offsite");
    assert.deepEqual(Object.keys(stringData), ["credentials", "repository-password"]);
    assert.equal(stringData["repository-password"], "<offsite-password>");
    assert.match(stringData.credentials, /^aws_secret_access_key = example\/secret/m);
    for (const { type, props } of site.filter(({ type }) => !type.endsWith(":Secret"))) {
      assert.doesNotMatch(JSON.stringify(props), /example\/secret|DO00EXAMPLE/, type);
    }
  });

  it("a bucket of the program's own has a key pair that opens it alone", async () => {
    const made = await render(SCENARIOS.space);
    const of = (kind: string) => made.filter((resource) => kindOf(resource) === kind);
    const [{ props: bucket }] = of("SpacesBucket");
    const { name, region, acl, versioning, forceDestroy } = bucket;
    assert.deepEqual([name, region, acl], ["liberty-backups", "fra1", "private"]);
    assert.deepEqual([versioning.enabled, forceDestroy], [true, undefined]);
    const [{ props: key }] = of("SpacesKey");
    assert.deepEqual(key.grants, [{ bucket: "liberty-backups", permission: "readwrite" }]);
    const { stringData } = named(made, "Secret", "matomo-offsite");
    assert.match(stringData.credentials, /^aws_access_key_id = <offsite key>$/m);
    assert.match(stringData.credentials, /^aws_secret_access_key = <offsite secret>$/m);
    const { env } = named(made, "CronJob", "matomo-backup").spec.jobTemplate.spec.template.spec
      .containers[0] as { env: { name: string; value: string }[] };
    assert.equal(
      env.find((one) => one.name === "RESTIC_REPOSITORY")!.value,
      "s3:https://fra1.digitaloceanspaces.com/liberty-backups/matomo.example.com",
    );
  });

  it("the password of a repository that is there already is taken as it is stated", async () => {
    const repositoryPassword = "of-another-stack0123456789";
    const backup = JSON.stringify({ offsite: { ...OFFSITE, repositoryPassword } });
    const { stringData } = named(await render({ ...MINIMAL, backup }), "Secret", "matomo-offsite");
    assert.equal(stringData["repository-password"], repositoryPassword);
  });

  it("the backup's pod alone may reach it: an address that is stated, or any public one", async () => {
    const egress = (resources: Rendered[], name: string) =>
      named(resources, "NetworkPolicy", name).spec.egress as { to: object[]; ports: object[] }[];
    const ports = [{ protocol: "TCP", port: 443 }];
    const [, , added] = egress(site, "matomo-backup");
    assert.deepEqual(added.ports, ports);
    assert.match(JSON.stringify(added.to), /"cidr":"0\.0\.0\.0\/0","except":\["10\.0\.0\.0\/8"/);
    const minimal = await render();
    for (const name of ["matomo", "matomo-mariadb", "matomo-archive", "matomo-acme-solver"]) {
      assert.deepEqual(egress(site, name), egress(minimal, name), name);
    }
    const backup = JSON.stringify({ offsite: { ...OFFSITE, endpoint: "https://10.20.0.5:9000" } });
    const [, , own] = egress(await render({ ...MINIMAL, backup }), "matomo-backup");
    assert.deepEqual(own, {
      to: [{ ipBlock: { cidr: "10.20.0.5/32" } }],
      ports: [{ protocol: "TCP", port: 9000 }],
    });
  });
});

describe("in every scenario", () => {
  for (const [scenario, config] of Object.entries(SCENARIOS)) {
    describe(scenario, () => {
      const isOffsite = config.backup?.includes("offsite") ?? false;
      let site: Rendered[];
      before(async () => {
        site = await render(config);
      });

      it("what holds data is protected, and outlives the stack", () => {
        const kinds = [
          "Namespace",
          "PersistentVolumeClaim",
          "PersistentVolume",
          "SpacesBucket",
          "Volume",
          "Secret",
        ];
        const holders = site.filter(
          (resource) => kinds.includes(kindOf(resource)) && !resource.type.startsWith("matomo:"),
        );
        assert.ok(holders.length >= 7);
        for (const { name, opts } of holders) {
          assert.equal(opts.protect, true, name);
          assert.equal(opts.retainOnDelete, true, name);
        }
      });

      it("every Secret states its type: without, an adopted one would be replaced", () => {
        const secrets = objects(site, "Secret");
        const offsite = isOffsite ? ["matomo-offsite"] : [];
        assert.deepEqual(names(site, "Secret").sort(), [...CONTRACT.Secret, ...offsite]);
        for (const { name, props } of secrets) assert.equal(props.type, "Opaque", name);
      });

      it("a password is made once, whatever its arguments become", () => {
        const passwords = site.filter((resource) => kindOf(resource) === "RandomPassword");
        assert.equal(passwords.length, isOffsite ? 6 : 5);
        for (const { name, props, opts } of passwords) {
          assert.equal(opts.protect, true, name);
          const stated = Object.keys(props).filter((key) => key !== "result");
          const judged = stated.filter((key) => !opts.ignoreChanges?.includes(key));
          assert.deepEqual(judged, [], `${name} would be replaced`);
        }
      });

      it("every object is in the namespace and says whose it is", () => {
        for (const { props, type } of site.filter(({ props }) => props.metadata)) {
          const { namespace, labels } = props.metadata;
          const clusterWide = /:(Namespace|PersistentVolume)$/.test(type);
          assert.equal(namespace, clusterWide ? undefined : "matomo", type);
          assert.equal(labels["app.kubernetes.io/instance"], "matomo", type);
        }
      });
    });
  }
});

describe("the outputs of a site", () => {
  it("say how to get in, and hold no secret", async () => {
    const { outputs } = await renderSite(SCENARIOS.everything);
    assert.equal(outputs.url, "https://matomo.example.com/");
    assert.equal(outputs.adminUser, "owner");
    assert.match(outputs.passwordCommand, /^kubectl -n matomo get secret matomo /);
    assert.match(outputs.trackingSnippet, /var u = "https:\/\/matomo\.example\.com\/"/);
    assert.deepEqual(outputs.schedules, { archive: "*/30 * * * *", backup: "30 2 * * *" });
    assert.match(outputs.nextSteps[0], /matomo\.example\.com and stats\.example\.org/);
  });
});
