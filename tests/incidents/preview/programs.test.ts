/**
 * Whole programs that each bring one incident back, on the real engine with the policy pack: the
 * preview fails and says why, an `up` makes nothing at all, and where one object decides, one without
 * its preview does not make that object.
 */
import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import type { Cluster } from "../../../local/cluster";
import { type Engine, openEngine } from "../../../local/engine";
import { installedPulumi } from "../../../local/engine-path";
import { checkout } from "../../../local/paths";
import { policyPack } from "../../../local/policy-pack";
import { endCluster, ownCluster } from "../../api/clusters";
import { requestsOn } from "../../api/harness";
import { drawn } from "../../soak";

/** How a command ended. */
interface Ran {
  exitCode?: number;
  output: string;
}

interface Program {
  rule: string;
  /** What the message must name: the object, and what is wrong with it. */
  says: string[];
  /** The object that a resource rule keeps `up` from making: kind, namespace/name. */
  unmade?: [string, string];
}

const PROGRAMS: Record<string, Program> = {
  "service-without-component": {
    rule: "selector-carries-component",
    says: ["Service incident-1/web: spec.selector", "app.kubernetes.io/component"],
    unmade: ["service", "incident-1/web"],
  },
  "policy-of-two-components": {
    rule: "service-selects-one-component",
    says: ["NetworkPolicy incident-1b/both: spec.podSelector", "pods of 2 components"],
  },
  "archive-mounts-data": {
    rule: "rwo-volume-not-shared",
    says: ["CronJob incident-2/archive", "claim incident-2/data", "by Deployment incident-2/web"],
  },
  "archive-is-replaced": {
    rule: "cron-job-is-bounded",
    says: ["CronJob incident-4/archive: spec.concurrencyPolicy", "kills a running Job"],
    unmade: ["cronjob", "incident-4/archive"],
  },
  "backup-without-role": {
    rule: "token-only-where-bound",
    says: ["CronJob incident-5/backup", "ServiceAccount backup, to which no Role is bound"],
  },
  "jobs-pile-up": {
    rule: "cron-job-is-bounded",
    says: ["CronJob incident-6/archive: spec.successfulJobsHistoryLimit", "100 finished Jobs"],
    unmade: ["cronjob", "incident-6/archive"],
  },
  "volume-may-go": {
    rule: "data-is-protected",
    says: ["PersistentVolumeClaim incident-7/backup: protect"],
  },
  "password-may-go": {
    rule: "data-is-protected",
    says: ["RandomPassword database-password: protect"],
  },
  "password-in-clear": {
    rule: "no-plain-secrets",
    says: ["Deployment incident-12b/web", "env[0].value: a literal credential of 7 characters"],
    unmade: ["deployment", "incident-12b/web"],
  },
  "rollout-attaches-twice": {
    rule: "rwo-workload-recreates",
    says: ["Deployment incident-13/web: spec.strategy", "runs two pods at a rollout"],
    unmade: ["deployment", "incident-13/web"],
  },
  "claim-comes-later": {
    rule: "rwo-workload-recreates",
    says: ["Deployment incident-13b/web: spec.strategy", "runs two pods at a rollout"],
  },
  "budget-blocks-drain": {
    rule: "disruption-budget-allows-drain",
    says: ["PodDisruptionBudget incident-14/web: spec.minAvailable", "1 of 1 pods"],
  },
  "php-outgrows-container": {
    rule: "php-memory-fits",
    says: ["Deployment incident-15/web", "need 2048 MiB, the container has 1024"],
  },
  "policy-matches-no-pod": {
    rule: "service-selects-one-component",
    says: ["NetworkPolicy incident-18/web: spec.podSelector", "no pod of this stack"],
  },
  "image-moves": {
    rule: "image-is-pinned",
    says: ["Deployment incident-20/web", '"matomo:latest"'],
    unmade: ["deployment", "incident-20/web"],
  },
  "pods-as-root": {
    rule: "pods-are-restricted",
    says: ["Deployment restricted/web: spec.template.spec.securityContext.runAsUser: 0 is root"],
    unmade: ["deployment", "restricted/web"],
  },
  "open-network": {
    rule: "network-default-deny",
    says: ["Namespace open-network", "no policy denies ingress"],
  },
};

/** Programs that only an `up` can judge: the rule, the object, and what `up` says, unless it passes. */
const UNKNOWN: Record<string, Program & { object: string }> = {
  "claim-name-unknown": {
    rule: "rwo-volume-not-shared",
    object: "Deployment unknown/web",
    says: ["Job unknown/job", "claim unknown/data, is mounted by", "by Deployment unknown/web"],
  },
  "image-unknown-moves": {
    rule: "image-is-pinned",
    object: "Deployment unknown-moves/web",
    says: ['"matomo:latest"'],
    unmade: ["deployment", "unknown-moves/web"],
  },
  "image-unknown-stays": {
    rule: "image-is-pinned",
    object: "Deployment unknown-stays/web",
    says: [],
  },
};

/** Verbs of requests that change something. */
const CHANGES = ["create", "update", "patch", "delete", "deletecollection"];

/** No incident, and silent. */
const GOOD = "share-comes-later";

describe("programs that bring an incident back", () => {
  let folder = "";
  let cluster: Cluster;
  let engine: Engine;
  let packs: string[];

  before(async () => {
    ({ folder, cluster } = await ownCluster("policy"));
    engine = await openEngine(folder, { standIns: "always", project: __dirname });
    const executable = path.join(checkout, "policy", "run-policy");
    packs = (await installedPulumi()) ? [await policyPack(), executable] : [executable];
  });

  after(async () => {
    if (folder) await endCluster(folder);
  });

  async function run(name: string, args: string[], pack: string): Promise<Ran> {
    const result = await engine.pulumi([...args, "--policy-pack", pack], {
      stack: name,
      env: { INCIDENT: name, KUBECONFIG_FILE: cluster.kubeconfig },
      process: { reject: false },
    });
    return { exitCode: result.exitCode, output: `${result.stdout}\n${result.stderr}` };
  }

  it("each has a row here", async () => {
    const files = await fs.readdir(path.join(__dirname, "programs"));
    const names = files.map((file) => path.parse(file).name);
    const told = [...Object.keys(PROGRAMS), ...Object.keys(UNKNOWN), GOOD];
    assert.deepEqual(names.sort(), told.sort());
  });

  /** Fails by this rule and by no other, in these words. */
  function assertFails({ exitCode, output }: Ran, { rule, says }: Program): void {
    assert.notEqual(exitCode, 0, output);
    const rules = [...output.matchAll(/\[mandatory\].*?([a-z]+(?:-[a-z]+)+) {2}\(/g)];
    assert.deepEqual([...new Set(rules.map(([, told]) => told))], [rule], output);
    for (const words of says) {
      assert.ok(output.includes(words), `${words} is not in\n${output}`);
    }
  }

  /** Whether the cluster has an object: kind, namespace/name. */
  async function isMade([kind, key]: [string, string]): Promise<boolean> {
    const [namespace, name] = key.split("/");
    const args = ["get", kind, name, "-n", namespace, "--ignore-not-found", "-o", "name"];
    return (await cluster.kubectl(args)) !== "";
  }

  /** Every request so far that changed an object of any kind, or was to. */
  async function changes(): Promise<string[]> {
    const requests = await requestsOn(cluster);
    return requests
      .filter(({ verb, requestURI }) => CHANGES.includes(verb) && !requestURI.includes("dryRun="))
      .map(({ verb, requestURI }) => `${verb} ${requestURI}`);
  }

  /** What a stack's state says was made, beside its providers. */
  async function recorded(stack: string): Promise<string[]> {
    const { stdout } = await engine.pulumi(["stack", "export"], { stack });
    const resources: { type: string; urn: string }[] =
      JSON.parse(stdout).deployment.resources ?? [];
    const made = resources.filter(({ type }) => !type.startsWith("pulumi:"));
    return made.map(({ urn }) => urn);
  }

  const up = (name: string) => run(name, ["up", "--yes", "--skip-preview"], packs[0]);

  for (const [name, program] of Object.entries(PROGRAMS)) {
    it(`${name}: an up fails by ${program.rule} at its preview, and makes nothing`, async () => {
      const { length } = await changes();
      assertFails(await run(name, ["up", "--yes"], packs[0]), program);
      assert.deepEqual((await changes()).slice(length), []);
      assert.deepEqual(await recorded(name), []);
    });

    const { unmade } = program;
    if (unmade) {
      it(`${name}: an up without its preview does not make the ${unmade[0]}`, async () => {
        const { exitCode, output } = await up(name);
        assert.notEqual(exitCode, 0, output);
        assert.equal(await isMade(unmade), false);
      });
    }
  }

  // The first half of an `up` is the same preview.
  for (const [name, program] of drawn(Object.entries(PROGRAMS), 3)) {
    it(`${name}: the preview alone fails by ${program.rule} and by nothing else`, async () => {
      for (const pack of packs) {
        assertFails(await run(name, ["preview"], pack), program);
      }
    });
  }

  it(`${GOOD}: the preview passes`, async () => {
    const { exitCode, output } = await run(GOOD, ["preview"], packs[0]);
    assert.equal(exitCode, 0, output);
    assert.doesNotMatch(output, /\[(mandatory|advisory)\]/);
  });

  describe("by the pack's settings", () => {
    const withSettings = async (settings: object) => {
      const file = path.join(folder, "policy-config.json");
      await fs.writeFile(file, JSON.stringify(settings));
      return run("image-moves", ["preview", "--policy-pack-config", file], packs[0]);
    };
    const exempt = (reason: string) => ({
      "image-is-pinned": { exemptions: [{ namespace: "incident-20", name: "web", reason }] },
    });

    it("an exempt object passes, and its reason is printed", async () => {
      const { exitCode, output } = await withSettings(exempt("a rehearsal of the next version"));
      assert.equal(exitCode, 0, output);
      assert.match(output, /\[advisory\].*image-is-pinned/);
      assert.match(output, /a rehearsal of the next version/);
    });

    it("a rule that is advisory stops nothing", async () => {
      const { exitCode, output } = await withSettings({ "image-is-pinned": "advisory" });
      assert.equal(exitCode, 0, output);
      assert.match(output, /\[advisory\].*image-is-pinned/);
    });

    it("wrong settings are an error that names the key", async () => {
      const { exitCode, output } = await withSettings(exempt("why not"));
      assert.notEqual(exitCode, 0, output);
      assert.match(output, /image-is-pinned.*reason/s);
    });
  });

  for (const [name, program] of Object.entries(UNKNOWN)) {
    const { rule, object, says, unmade } = program;
    it(`${name}: the preview passes and says what only an up can judge`, async () => {
      const { exitCode, output } = await run(name, ["preview"], packs[0]);
      assert.equal(exitCode, 0, output);
      const told = output.split("[advisory]").filter((one) => one.includes(rule));
      assert.ok(
        told.some((one) => one.includes(`${object}: not judged yet`)),
        output,
      );
    });

    it(`${name}: the up ${says.length > 0 ? "fails" : "passes"}`, async () => {
      const ran = await up(name);
      if (says.length > 0) {
        assertFails(ran, program);
      } else {
        assert.equal(ran.exitCode, 0, ran.output);
        assert.doesNotMatch(ran.output, /\[(mandatory|advisory)\]/);
      }
      if (unmade) {
        assert.equal(await isMade(unmade), false);
      }
    });
  }

  describe("the project's own stacks", () => {
    for (const stack of ["liberty", "yonks", "personal", "local"]) {
      it(`${stack} passes`, async () => {
        const own = await openEngine(folder, { standIns: "always" });
        const context = { context: "matomo-local", kubeconfig: cluster.kubeconfig };
        const { stdout } = await own.pulumi(["preview", "--policy-pack", packs[0]], {
          stack,
          config: stack === "local" ? { "matomo:cluster": context } : {},
        });
        assert.match(stdout, /matomo-fleet@v/);
        assert.doesNotMatch(stdout, /\[mandatory\]/);
        // Before the first up two things are not known: the passwords, and so the checksum over what
        // the pods mount, and the identity that the namespace carries.
        const open = [...stdout.matchAll(/\[advisory\].*\n(.*)/g)].map(([, message]) => message);
        const unknown = (key: string) => `annotations\\["${key}"\\] not known yet; `;
        const checksum = unknown("matomo-fleet/mounts");
        const identity =
          unknown("matomo-fleet/identity") +
          `metadata\\.${unknown("pulumi.com/patchFieldManager")}`;
        const expected = new RegExp(`not judged yet: \\S+(?:${checksum}|${identity})\`pulumi up`);
        assert.deepEqual(
          open.filter((message) => !expected.test(message)),
          [],
        );
      });
    }
  });
});
