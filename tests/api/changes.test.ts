/**
 * Issue 6, 3.11: a change of settings never replaces or deletes what holds data, a workload is
 * updated in place, and claims really grow, in both storage modes. Neither a smaller claim nor an older
 * version can follow: the sites are this file's own.
 */
import assert from "node:assert/strict";
import { after, before, describe, it } from "mocha";
import { nodeNames } from "../../local/objects";
import type { VolumeRecord } from "../../local/standins/digitalocean-client";
import { drawn } from "../soak";
import { eventually, within } from "../waits";
import { type Live, neverDue, newSite, outputOf, type Site, type Step, uids } from "./harness";

type Change = [what: string, config: Record<string, unknown>, steps: string[]];

/** Every step of the preview of a change, as `op Kind name` with Pulumi's name. */
const CHANGES: Change[] = [
  [
    "claims that grow",
    { storage: { data: "12Gi", database: "9Gi", backup: "25Gi" } },
    [
      "update CronJob job", // A larger database's backup may take longer.
      "update PersistentVolumeClaim backup",
      "update PersistentVolumeClaim data",
      "update PersistentVolumeClaim database",
    ],
  ],
  [
    "memory and workers",
    { matomo: { memory: "2Gi", workers: 8 }, mariadb: { memory: "2Gi" } },
    [
      "update ConfigMap config",
      "update ConfigMap config",
      "update Deployment server",
      "update StatefulSet server",
    ],
  ],
  [
    "newer versions",
    { matomo: { version: "5.6.0" }, mariadb: { version: "12.3.1" } },
    [
      "update CronJob job",
      "update CronJob job",
      "update Deployment server",
      "update StatefulSet server",
    ],
  ],
  [
    "schedules and retention",
    { archive: { schedule: "35 * * * *" }, backup: { schedule: "0 1 * * *", retentionDays: 60 } },
    ["update CronJob job", "update CronJob job"],
  ],
  [
    "a second host name",
    { aliases: ["stats.example.org"] },
    ["update ConfigMap config", "update Deployment server", "update Ingress ingress"],
  ],
  [
    "another domain and e-mail",
    { domain: "analytics.example.org", email: "other@example.org" },
    [
      "update ConfigMap config",
      "update CronJob job",
      "update CronJob job",
      "update Deployment server",
      "update Ingress ingress",
      "update Issuer issuer",
      "update Secret site",
    ],
  ],
  [
    "Let's Encrypt's production issuer",
    { edge: { issuer: "production" } },
    ["replace Issuer issuer", "update Ingress ingress"],
  ],
  [
    "a Gateway instead of the Ingress",
    { edge: { kind: "gateway", class: "cilium" } },
    [
      "create CiliumNetworkPolicy gateway-acme-solver",
      "create CiliumNetworkPolicy gateway-web",
      "create Gateway gateway",
      "create HTTPRoute redirect",
      "create HTTPRoute route",
      "delete Ingress ingress",
      "update Issuer issuer",
      "update NetworkPolicy acme-solver",
      "update NetworkPolicy web",
    ],
  ],
  [
    "egress",
    { egress: { geoip: false, smtp: true } },
    ["update ConfigMap config", "update Deployment server", "update NetworkPolicy web"],
  ],
  [
    "the website's name",
    { website: { name: "Our website", timezone: "Europe/Berlin" } },
    ["update ConfigMap config", "update Deployment server"],
  ],
  [
    "privacy",
    { privacy: { anonymizeIp: 3, retentionDays: 180, doNotTrack: true, cookieless: true } },
    ["update ConfigMap config", "update Deployment server"],
  ],
  [
    "another administrator's name",
    { username: "owner" },
    ["update CronJob job", "update Deployment server", "update Secret site"],
  ],
  [
    "another ingress controller",
    { edge: { class: "traefik", controllerNamespace: "traefik" } },
    [
      "update Ingress ingress",
      "update Issuer issuer",
      "update NetworkPolicy acme-solver",
      "update NetworkPolicy web",
    ],
  ],
  [
    "the ranges of a CDN",
    { edge: { proxies: ["198.51.100.0/24"] } },
    ["update ConfigMap config", "update Deployment server"],
  ],
  [
    "images of a mirror",
    {
      matomo: { image: "mirror.example.com/matomo:5.5.1-apache" },
      mariadb: { image: "mirror.example.com/mariadb:12.0.2" },
    },
    [
      "update CronJob job",
      "update CronJob job",
      "update Deployment server",
      "update StatefulSet server",
    ],
  ],
];

const HOLDS_DATA =
  /Namespace|Secret|PersistentVolume|StatefulSet|Volume|RandomPassword|RandomId|Deployment/;

function settings(config: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(config).map(([key, value]) => [`matomo:${key}`, value]));
}

function shown({ op, type, name }: Step): string {
  return `${op} ${type.split(":").at(-1)} ${name}`;
}

/** Nothing that holds data is made anew or goes; a replacement shows as several steps. */
function assertDataIsKept(steps: Step[]): void {
  for (const step of steps.filter(({ type }) => HOLDS_DATA.test(type.split(":").at(-1)!))) {
    assert.equal(step.op, "update", shown(step));
  }
}

async function assertGrown(site: Site, sizes: string[]): Promise<void> {
  const names = ["matomo", "data-matomo-mariadb-0", "matomo-backup"];
  for (const [i, name] of names.entries()) {
    const capacity = `--for=jsonpath={.status.capacity.storage}=${sizes[i]}`;
    await site.kubectl("wait", capacity, `pvc/${name}`, "-n", "matomo", within("controllerActs"));
  }
}

/** What is in a state, and when each was last written. Secrets are encrypted anew at each export. */
function resourcesOf(state: string): unknown {
  const { resources } = JSON.parse(state).deployment as { resources: Record<string, string>[] };
  return resources.map(({ urn, id, modified }) => ({ urn, id, modified }));
}

const KEPT = "pvc,secret,statefulset,deployment,service";
const ofSite = ({ metadata }: Live) => !/letsencrypt|-tls/.test(metadata!.name!);

describe("setting changes", () => {
  let site: Site;

  before(async () => {
    site = await newSite("liberty");
    await site.up();
  });
  after(() => site?.close());

  for (const [what, config, expected] of drawn(CHANGES, 5)) {
    it(`${what}: exactly the steps it needs, and no data at risk`, async () => {
      const steps = await site.preview(settings(config));
      assertDataIsKept(steps);
      const made = steps.map(shown).filter((step) => !/ (Stack|MatomoSite) /.test(step));
      // A replacement is three steps of one change.
      const once = made.filter((step) => !/^(create-replacement|delete-replaced)/.test(step));
      assert.deepEqual(once.sort(), expected);
    });
  }

  it("the same cluster by another name: nothing but the provider's connection", async () => {
    const cluster = { context: "matomo-local", kubeconfig: site.cluster.kubeconfig };
    const steps = await site.preview(settings({ cluster }));
    const changed = steps.map(shown).filter((step) => !/ (Stack|MatomoSite) /.test(step));
    assert.deepEqual(changed, []);
  });

  it("claims grow and limits rise, on the objects that were there", async () => {
    const before_ = uids((await site.list(KEPT)).filter(ofSite));
    Object.assign(site.config, settings({ ...CHANGES[0][1], ...CHANGES[1][1] }));
    await site.up();
    await assertGrown(site, ["12Gi", "9Gi", "25Gi"]);
    assert.deepEqual(uids((await site.list(KEPT)).filter(ofSite)), before_);
    const [container] = (await site.get("deployment", "matomo")).spec.template.spec.containers;
    assert.equal(container.resources.limits.memory, "2Gi");
    await site.expectUnchanged();
  });

  for (const [what, config, message] of [
    [
      "a smaller claim",
      { storage: { data: "10Gi" } },
      /storage\.data: found "10Gi"; allowed: 12Gi/,
    ],
    ["the other storage mode", { storage: { mode: "volumes" } }, /storage\.mode: found "volumes"/],
    ["an older database", { mariadb: { version: "11.8.3" } }, /allowed: 12\.0\.2 or newer/],
  ] as const) {
    it(`${what} is refused by what lives in the cluster`, async () => {
      const result = await site.attempt(["preview"], { config: settings(config) });
      assert.notEqual(result.exitCode, 0);
      assert.match(outputOf(result), message);
    });
  }

  for (const command of [["preview"], ["up", "--yes", "--skip-preview"]]) {
    it(`settings with faults end ${command[0]} before a single request, with all of them`, async () => {
      const requests = (await site.requests()).length;
      const state = await site.state();
      const config = settings({ domain: "no domain", backup: { retentionDays: 0 }, typo: 1 });
      const result = await site.attempt(command, { config });
      assert.notEqual(result.exitCode, 0);
      for (const fault of [/domain: found "no domain"/, /retentionDays: found 0/, /matomo:typo/]) {
        assert.match(outputOf(result), fault);
      }
      assert.equal((await site.requests()).length, requests);
      assert.deepEqual(resourcesOf(await site.state()), resourcesOf(state));
    });
  }

  it("a cluster that DigitalOcean does not know is told, with frames that Node can print", async () => {
    const config = settings({ cluster: { doks: "nowhere" } });
    const result = await site.attempt(["preview"], { config });
    assert.notEqual(result.exitCode, 0);
    assert.match(outputOf(result), /nowhere/);
    // On frames that a source map names, Node 20 loops for most of a minute.
    assert.match(outputOf(result), /\.js:\d+:\d+/);
    assert.doesNotMatch(outputOf(result), /node_modules\S*\.ts:\d+/);
  });

  it("a database that fits no node is taken back, also by who did not wait for the end", async () => {
    const { uid } = (await site.get("statefulset", "matomo-mariadb")).metadata!;
    const tooLarge = settings({ ...CHANGES[1][1], mariadb: { memory: "900Gi" } });
    const interrupt = new AbortController();
    const process = { cancelSignal: interrupt.signal, killSignal: "SIGINT" } as const;
    const up = site.attempt(["up", "--yes", "--skip-preview"], {
      config: tooLarge,
      process: { ...process, forceKillAfterDelay: false },
    });
    try {
      await eventually("the database's pod fits no node", async () => {
        const { spec, status } = await site.get("pod", "matomo-mariadb-0");
        const [{ resources }] = spec.containers;
        return resources.limits.memory === "900Gi" && status.conditions?.length > 0;
      });
    } finally {
      interrupt.abort();
      await up;
    }
    // What was interrupted is not in the state: docs/operations.md has this way on.
    await site.pulumi(["up", "--yes", "--skip-preview", "--refresh", "--run-program"]);
    // Its status may be written after the pod is ready.
    const rollout = ["rollout", "status", "statefulset/matomo-mariadb", "-n", "matomo"];
    await site.kubectl(...rollout, within("rolloutEnds"));
    const database = await site.get("statefulset", "matomo-mariadb");
    assert.equal(database.metadata!.uid, uid);
    const [container] = (await site.get("pod", "matomo-mariadb-0")).spec.containers;
    assert.equal(container.resources.limits.memory, "2Gi");
    await site.expectUnchanged();
  });

  it("an older version is refused while the pods wait for a node as well", async () => {
    const pods = ["-n", "matomo", "-l", "app.kubernetes.io/component in (web, mariadb)"];
    const older = { matomo: { version: "5.4.0" }, mariadb: { version: "11.8.3" } };
    let result;
    await site.kubectl("cordon", ...nodeNames);
    try {
      // Gone at once: what comes instead has the database pod's name, and kubectl would wait on.
      await site.kubectl("delete", "pod", ...pods, "--force", "--grace-period=0", "--wait=false");
      await eventually("two pods wait for a node", async () => {
        const phases = (await site.list("pods")).map(({ status }) => status.phase);
        assert.deepEqual(phases, ["Pending", "Pending"]);
        return true;
      });
      result = await site.attempt(["preview"], { config: settings(older) });
    } finally {
      await site.kubectl("uncordon", ...nodeNames);
    }
    for (const workload of ["deployment/matomo", "statefulset/matomo-mariadb"]) {
      const rollout = ["rollout", "status", workload, "-n", "matomo", within("rolloutEnds")];
      await site.kubectl(...rollout);
    }
    assert.notEqual(result.exitCode, 0);
    const said = outputOf(result);
    assert.match(said, /matomo\.version: found "5\.4\.0"; allowed: 5\.5\.1 or newer/);
    assert.match(said, /mariadb\.version: found "11\.8\.3"; allowed: 12\.0\.2 or newer/);
  });

  it("another display name, e-mail and newer versions leave passwords and Secrets as they are", async () => {
    const passwords = await site.passwords();
    const before_ = uids(await site.list("secret,statefulset,deployment"));
    const { matomo } = CHANGES[1][1];
    const renamed = {
      website: { name: "Renamed" },
      email: "renamed@example.com",
      matomo: { ...(matomo as object), version: "5.5.2" },
      mariadb: { memory: "2Gi", version: "12.3.1" },
    };
    Object.assign(site.config, settings(renamed));
    await site.up();
    assert.deepEqual(await site.passwords(), passwords);
    assert.deepEqual(uids(await site.list("secret,statefulset,deployment")), before_);
    const { spec } = await site.get("statefulset", "matomo-mariadb");
    assert.equal(spec.template.spec.containers[0].image, "mariadb:12.3.1");
    assert.equal((await site.secret("matomo"))["matomo-email"], "renamed@example.com");
    await site.expectUnchanged();
  });
});

describe("setting changes with DigitalOcean Volumes of Pulumi's own", () => {
  let site: Site;
  const grown = { mode: "volumes", data: "12Gi", database: "9Gi", backup: "25Gi" };

  before(async () => {
    site = await newSite("yonks", settings({ storage: { mode: "volumes" } }));
    await site.up();
  });
  after(() => site?.close());

  async function volumes(): Promise<VolumeRecord[]> {
    const response = await fetch(`${site.cluster.cloudUrl}/v2/volumes`);
    const body = (await response.json()) as { volumes: VolumeRecord[] };
    return body.volumes.sort((a, b) => a.name.localeCompare(b.name));
  }

  it("each claim is bound to the volume that names it, and nothing is left to do", async () => {
    const made = await volumes();
    const names = ["data-matomo-mariadb-0", "matomo", "matomo-backup"].map(
      (n) => `matomo-yonks-${n}`,
    );
    assert.deepEqual(
      made.map(({ name }) => name),
      names,
    );
    for (const claim of await site.list("pvc")) {
      assert.equal(claim.status.phase, "Bound");
      assert.equal(claim.spec.volumeName, `matomo-yonks-${claim.metadata!.name}`);
    }
    await site.expectUnchanged();
  });

  it("they grow in place: the same volumes, claims and servers", async () => {
    const before_ = uids((await site.list(KEPT)).filter(ofSite));
    const ids = (await volumes()).map(({ id }) => id);
    Object.assign(site.config, settings({ storage: grown }));
    assertDataIsKept(await site.preview());
    await site.up();
    await assertGrown(site, ["12Gi", "9Gi", "25Gi"]);
    const after_ = await volumes();
    assert.deepEqual(
      after_.map(({ id }) => id),
      ids,
    );
    assert.deepEqual(
      after_.map(({ size_gigabytes }) => size_gigabytes),
      [9, 12, 25],
    );
    assert.deepEqual(uids((await site.list(KEPT)).filter(ofSite)), before_);
    await site.expectUnchanged();
  });

  it("dynamic claims instead are refused: they would be empty", async () => {
    const config = settings({ storage: { ...grown, mode: "dynamic" } });
    const result = await site.attempt(["preview"], { config });
    assert.notEqual(result.exitCode, 0);
    assert.match(outputOf(result), /storage\.mode: found "dynamic"; allowed: "volumes"/);
  });

  it("a bucket for backups and its key are made once, and the key's secret is in no state", async () => {
    const offsite = { create: true, region: "fra1", bucket: "yonks-backups" };
    const backup = { ...neverDue()["matomo:backup"], offsite };
    Object.assign(site.config, settings({ backup }));
    await site.up();
    const { credentials } = await site.secret("matomo-offsite");
    const pair = /aws_access_key_id = (DO00\w+)\naws_secret_access_key = (\S{44})\n/;
    const [, id, secret] = pair.exec(credentials) ?? [];
    assert.ok(secret, "the pair that the cloud handed out");
    const { status } = await fetch(`${site.cluster.cloudUrl}/v2/spaces/keys/${id}`);
    assert.equal(status, 200);
    assert.ok(!(await site.state()).includes(secret));
    await site.expectUnchanged();
  });
});
