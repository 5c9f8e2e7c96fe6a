/**
 * Incident 6: finished Jobs, old ReplicaSets and Helm's revision Secrets piled up in etcd, until the
 * API server was slow.
 */
import assert from "node:assert/strict";
import type { Live } from "../../api/harness";
import { type Bench, useBench } from "./bench";
import { makeDue, minutesAgo } from "./schedule";

/** Scheduled runs of each form. */
const RUNS = 50;
/** Rollouts: more than Kubernetes keeps by default. */
const ROLLOUTS = 12;
/** Runs that are due within our CronJobs' startingDeadlineSeconds, so that none counts as missed. */
const RECENT = 3;

describe("incident 6: objects that pile up", () => {
  const old = useBench("incident-6-old");
  const ours = useBench("incident-6");

  /** Finished runs one after the other; what is left at the end. */
  async function run(bench: Bench, cronJob: string, runs: number, recent: number) {
    const seen = new Set<string>();
    for (let count = 0; count < runs; count++) {
      const job = await makeDue(bench, cronJob, minutesAgo(recent - (count % recent)));
      const done = await bench.seen(
        `/apis/batch/v1/namespaces/${bench.namespace}/jobs`,
        `${job}, run ${count + 1}, complete`,
        (jobs) =>
          jobs.find(
            ({ metadata, status }) =>
              metadata!.name === job && !seen.has(metadata!.uid!) && status.succeeded === 1,
          ),
      );
      seen.add(done.metadata!.uid!);
    }
    assert.equal(seen.size, runs);
  }

  it("50 runs with a long history leave 50 Jobs, ours one of each CronJob", async () => {
    await old().createSurroundings();
    await ours().createSurroundings();
    const unbounded = ({ spec }: Live): void => {
      spec.successfulJobsHistoryLimit = 100;
      delete spec.startingDeadlineSeconds;
    };
    await old().create(await old().copy("cronjob", "matomo-archive", unbounded));
    for (const name of ["matomo-archive", "matomo-backup"]) {
      await ours().create(await ours().copy("cronjob", name));
    }
    await Promise.all([
      run(old(), "matomo-archive", RUNS, RUNS),
      run(ours(), "matomo-archive", RUNS / 2, RECENT),
      run(ours(), "matomo-backup", RUNS / 2, RECENT),
    ]);
    const left = async (bench: Bench) =>
      (await bench.kubectl("get", "jobs,pods", "-o", "name")).split("\n");
    assert.equal((await left(old())).length, 2 * RUNS);
    const few = await ours().seen(
      `/api/v1/namespaces/${ours().namespace}/pods`,
      "a pod of each CronJob's newest Job alone",
      (pods) => (pods.length <= 2 ? pods : undefined),
    );
    assert.equal(few.length, 2);
    assert.equal((await left(ours())).length, 4);
  });

  it("12 rollouts leave 11 ReplicaSets by default, ours four", async () => {
    const byDefault = ({ spec }: Live): void => {
      delete spec.revisionHistoryLimit;
    };
    await old().create(await old().copy("deployment", "matomo", byDefault));
    await ours().create(await ours().copy("deployment", "matomo"));
    await Promise.all([old(), ours()].map(rollOut));
    assert.equal(await replicaSets(old(), 11), 11);
    assert.equal(await replicaSets(ours(), 4), 4);
  });

  async function rollOut(bench: Bench): Promise<void> {
    for (let count = 0; count < ROLLOUTS; count++) {
      const template = { metadata: { annotations: { rollout: String(count) } } };
      const patch = JSON.stringify({ spec: { template } });
      await bench.kubectl("patch", "deployment", "matomo", "-p", patch);
      await bench.kubectl("rollout", "status", "deployment/matomo", "--timeout=60s");
    }
  }

  /** How many are left, once they are no more than expected. */
  function replicaSets(bench: Bench, expected: number): Promise<number> {
    const path = `/apis/apps/v1/namespaces/${bench.namespace}/replicasets`;
    return bench.seen(path, `${expected} ReplicaSets`, (sets) =>
      sets.length === expected ? sets.length : undefined,
    );
  }

  it("ours leaves no revision of itself in the cluster", async () => {
    const secrets = await ours().site.list("secret");
    const revisions = secrets.filter(({ type }) => type.startsWith("helm.sh/release"));
    assert.deepEqual(revisions, []);
  });
});
