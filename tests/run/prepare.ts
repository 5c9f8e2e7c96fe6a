/** What the tiers run on is built before they begin: a test's own time is not made for a download. */
import { commandTasks, runTasks, systemTasks, tasks, type Wanted } from "../../local/build";
import { testTools } from "../tools";

/** Builds all that is missing: the engine with the cluster, and what only tests use. */
export async function prepare(wanted: Wanted): Promise<void> {
  if (!wanted.cluster) return;
  const list = await commandTasks(wanted);
  if (wanted.node) list.push(...(await systemTasks()));
  for (const { artefact, sources } of await testTools(wanted)) {
    list.push(...(await tasks([artefact], { sources })));
  }
  await runTasks(list);
}
