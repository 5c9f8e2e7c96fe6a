/**
 * Whole programs that each bring one incident back, on the real engine with the policy pack: the
 * preview fails and says why, and where one object decides, an `up` does not make that object.
 */
import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import * as os from "node:os";
import * as path from "node:path";
import { type Cluster, startCluster, stopCluster } from "../../../local/cluster";
import { type Engine, openEngine } from "../../../local/engine";
import { installedPulumi } from "../../../local/engine-path";
import { checkout } from "../../../local/paths";
import { policyPack } from "../../../local/policy-pack";

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

/** The program that only an `up` can judge. */
const UNKNOWN = "claim-name-unknown";

describe("programs that bring an incident back", function () {
  this.timeout(600_000);
  let folder: string;
  let cluster: Cluster;
  let engine: Engine;
  let packs: string[];

  before(async () => {
    folder = await fs.mkdtemp(path.join(os.tmpdir(), "matomo-policy-"));
    cluster = await startCluster(folder);
    engine = await openEngine(folder, { standIns: "always", project: __dirname });
    const executable = path.join(checkout, "policy", "run-policy");
    packs = (await installedPulumi()) ? [await policyPack(), executable] : [executable];
  });

  after(async () => {
    await stopCluster(folder);
    await fs.rm(folder, { recursive: true, force: true });
  });

  async function run(name: string, args: string[], pack: string) {
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
    assert.deepEqual(names.sort(), [...Object.keys(PROGRAMS), UNKNOWN].sort());
  });

  for (const [name, { rule, says, unmade }] of Object.entries(PROGRAMS)) {
    it(`${name}: the preview fails by ${rule} and by nothing else`, async () => {
      for (const pack of packs) {
        const { exitCode, output } = await run(name, ["preview"], pack);
        assert.notEqual(exitCode, 0, output);
        const rules = [...output.matchAll(/\[mandatory\].*?([a-z]+(?:-[a-z]+)+) {2}\(/g)];
        assert.deepEqual([...new Set(rules.map(([, told]) => told))], [rule], output);
        for (const words of says) {
          assert.ok(output.includes(words), `${words} is not in\n${output}`);
        }
      }
    });

    if (unmade) {
      it(`${name}: an up does not make the ${unmade[0]}`, async () => {
        const { exitCode, output } = await run(name, ["up", "--yes", "--skip-preview"], packs[0]);
        assert.notEqual(exitCode, 0, output);
        const [namespace, object] = unmade[1].split("/");
        const args = [
          "get",
          unmade[0],
          object,
          "-n",
          namespace,
          "--ignore-not-found",
          "-o",
          "name",
        ];
        assert.equal(await cluster.kubectl(args), "");
      });
    }
  }

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

  it("what is not known at preview is told as an advisory, and nothing fails", async () => {
    const { exitCode, output } = await run(UNKNOWN, ["preview"], packs[0]);
    assert.equal(exitCode, 0, output);
    const told = /\[advisory\].*rwo-volume-not-shared[^[]*Deployment unknown\/web: not judged yet/;
    assert.match(output, told);
  });

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
