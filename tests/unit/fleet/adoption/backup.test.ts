import assert from "node:assert/strict";
import { backupObjects } from "../../../../fleet/adoption/backup";
import type { Wanted } from "../../../../fleet/adoption/program";
import { MINIMAL, render } from "../../../render";
import { SCENARIOS } from "../../../scenarios";

/** The Job that backs an old site up, for a stack of these settings. */
async function jobOf(config: Record<string, string>) {
  const wanted = (await render(config))
    .filter(({ type }) => type.startsWith("kubernetes:"))
    .map(
      ({ type, props }) =>
        ({ inputs: { kind: type.split(":").at(-1), ...props } }) as unknown as Wanted,
    );
  const job = backupObjects(wanted, "password").find(({ kind }) => kind === "Job")!;
  return { spec: job.spec, pod: job.spec.template.spec };
}
const names = (list: { name: string }[]) => list.map(({ name }) => name);

describe("the backup of a site that is adopted", () => {
  it("takes the state from the web pod's own volume, and proves what it dumps", async () => {
    const { pod } = await jobOf(MINIMAL);
    assert.deepEqual(names(pod.initContainers), ["state"]);
    assert.deepEqual(names(pod.containers), ["backup"]);
  });

  it("stays on the cluster, where the stack has an off-site place: there is no Secret for it yet", async () => {
    const { spec, pod } = await jobOf(SCENARIOS.offsite);
    assert.deepEqual(pod, (await jobOf(MINIMAL)).pod);
    assert.equal(spec.podFailurePolicy, undefined);
  });
});
