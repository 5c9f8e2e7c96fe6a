/**
 * Incident 4: with `concurrencyPolicy: Replace` the next hour's run killed an archive that was still
 * running, again and again: on a large site none ever finished.
 */
import assert from "node:assert/strict";
import type { Live } from "../../api/harness";
import { within } from "../../waits";
import { useBench } from "./bench";
import { onWaitingNodes } from "./kubelet";
import { makeDue, minutesAgo } from "./schedule";

describe("incident 4: an archive that is replaced", () => {
  const bench = useBench("incident-4", { waitingNodes: true });

  /** A copy of our archive CronJob, and its run of `at`, which runs and does not end by itself. */
  async function firstRun(name: string, at: Date, concurrencyPolicy?: string): Promise<Live> {
    const cronJob = await bench().copy("cronjob", "matomo-archive", ({ metadata, spec }) => {
      metadata!.name = name;
      spec.concurrencyPolicy = concurrencyPolicy ?? spec.concurrencyPolicy;
      // However slow the machine is, the second run is none that was missed.
      delete spec.startingDeadlineSeconds;
      onWaitingNodes(spec.jobTemplate.spec.template.spec);
    });
    await bench().create(cronJob);
    const job = await makeDue(bench(), name, at);
    return bench().running("archive", (pod) => jobOf(pod) === job);
  }

  const jobOf = (pod: Live) => pod.metadata!.labels!["batch.kubernetes.io/job-name"];
  const jobs = async () => (await bench().kubectl("get", "jobs", "-o", "name")).split("\n");

  it("Replace kills the one that runs when the next is due", async () => {
    const [earlier, later] = [minutesAgo(2), minutesAgo(1)];
    const first = await firstRun("old", earlier, "Replace");
    const second = await makeDue(bench(), "old", later);
    await bench().event("SuccessfulDelete", new RegExp(`^Deleted job ${jobOf(first)}$`));
    const next = await bench().running("archive", (pod) => jobOf(pod) === second);
    assert.notEqual(next.metadata!.uid, first.metadata!.uid);
    await bench().kubectl("wait", "pod", first.metadata!.name!, "--for=delete", within("podGone"));
    await bench().kubectl("delete", "cronjob", "old");
    await bench().kubectl("wait", "job", second, "--for=delete", within("podGone"));
  });

  it("ours lets it finish, starts no second one, and the next one after it", async () => {
    const [earlier, later] = [minutesAgo(2), minutesAgo(1)];
    const first = await firstRun("ours", earlier);
    const next = await makeDue(bench(), "ours", later);
    const words =
      /^Not starting job because prior execution is running and concurrency policy is Forb/;
    await bench().event("JobAlreadyActive", words);
    assert.deepEqual(await jobs(), [`job.batch/${jobOf(first)}`]);
    await bench().kubelet.finish(first, "Succeeded");
    const complete = ["--for=condition=Complete", within("jobEnds")];
    await bench().kubectl("wait", "job", jobOf(first), ...complete);
    // Still due.
    await bench().running("archive", (pod) => jobOf(pod) === next);
  });
});
