/**
 * Incident 6: finished Jobs, old ReplicaSets and Helm's revision Secrets piled up in etcd, until the
 * API server was slow.
 */
import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import type { Live } from "../../api/harness";
import { isSoak } from "../../soak";
import { consistently, eventually, within } from "../../waits";
import { type Bench, useBench } from "./bench";
import { makeDue, minutesAgo } from "./schedule";

/** Scheduled runs of each form. */
const RUNS = isSoak ? 50 : 16;
/** Rollouts: more than Kubernetes keeps by default. */
const ROLLOUTS = 12;
describe("incident 6: objects that pile up", () => {
  const old = useBench("incident-6-old");
  const ours = useBench("incident-6");

  /** Finished runs one after the other, each due a minute after the one before, which names it. */
  async function run(bench: Bench, cronJob: string, runs: number) {
    const due = Array.from({ length: runs }, (_, count) => minutesAgo(runs - count));
    for (const [count, at] of due.entries()) {
      const job = await makeDue(bench, cronJob, at);
      await bench.seen(
        `/apis/batch/v1/namespaces/${bench.namespace}/jobs`,
        `${job}, run ${count + 1}, complete`,
        (jobs) => jobs.find((one) => one.metadata!.name === job && isComplete(one)),
        "jobEnds",
      );
    }
  }

  /** Only then does a Job count among the finished ones of its CronJob. */
  function isComplete({ status }: Live): boolean {
    const conditions = (status.conditions ?? []) as Live[];
    return conditions.some(({ type, status }) => type === "Complete" && status === "True");
  }

  it("runs with a long history leave a Job each, ours one of each CronJob", async () => {
    await old().createSurroundings();
    await ours().createSurroundings();
    // The runs were due within the last hour: none is to count as missed.
    const patient = ({ spec }: Live): void => {
      delete spec.startingDeadlineSeconds;
    };
    const unbounded = (cronJob: Live): void => {
      patient(cronJob);
      cronJob.spec.successfulJobsHistoryLimit = 100;
    };
    await old().create(await old().copy("cronjob", "matomo-archive", unbounded));
    for (const name of ["matomo-archive", "matomo-backup"]) {
      await ours().create(await ours().copy("cronjob", name, patient));
    }
    await Promise.all([
      run(old(), "matomo-archive", RUNS),
      run(ours(), "matomo-archive", RUNS / 2),
      run(ours(), "matomo-backup", RUNS / 2),
    ]);
    const left = async (bench: Bench) =>
      (await bench.kubectl("get", "jobs,pods", "-o", "name")).split("\n");
    assert.equal((await left(old())).length, 2 * RUNS);
    await eventually("of ours the newest Job of each CronJob is left, and its pod", async () => {
      assert.equal((await left(ours())).length, 4);
      return true;
    });
    const jobs = await left(ours());
    await consistently("they stay", async () => isDeepStrictEqual(await left(ours()), jobs));
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
      await bench.kubectl("rollout", "status", "deployment/matomo", within("rolloutEnds"));
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
