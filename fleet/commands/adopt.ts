/**
 * `fleet adopt`: takes over a site that a Helm release made. Without `--yes` it is a rehearsal that
 * touches neither the cluster nor the state.
 */
import { adopt, rehearse } from "../adoption/adopt";
import { openAdoption } from "../adoption/open";
import { planText } from "../adoption/plan";
import { undo, undoText } from "../adoption/undo";
import { policyPackOption } from "../deploy";
import type { Journal } from "../adoption/journal";
import { Failure, Interrupted, UsageError } from "../errors";
import type { Fleet, Register } from "../fleet";
import type { JournalFile } from "../journal";
import { type Progress, runStack } from "../run";
import { chooseStack, type Stack } from "../stacks";

interface Options {
  yes?: boolean;
  undo?: boolean;
  policyPack: string;
}

const HELP = `
Without --yes: prints what would be taken over as it is, changed in place, made and removed.
With --yes:    saves state and objects, takes them over, proves a backup, deploys, and removes
               Helm's records last. Interrupted, it goes on when it is run again.
With --undo:   puts back what the last adoption saved, Helm's records included.`;

export const registerAdopt: Register = (program, run) => {
  const command = program
    .command("adopt")
    .description("takes over the site that a Helm release runs on the stack's cluster")
    .argument("<stack>", "the stack that is to have it")
    .option("--yes", "do it, instead of showing what would be done")
    .option("--undo", "give the site back to Helm, as it was")
    .addOption(policyPackOption())
    .addHelpText("after", HELP)
    .action((name: string, options: Options) =>
      run(command, async (fleet) => {
        const stack = await chooseStack(fleet, name);
        if (options.undo) return undoAdoption(fleet, stack, options);
        return adoptSite(fleet, stack, options);
      }),
    );
};

async function adoptSite(fleet: Fleet, stack: Stack, { yes, policyPack }: Options) {
  const { output } = fleet;
  // The engine is opened once, and shown by whichever of the two runs is at work.
  let show: Progress = () => undefined;
  const { site, args } = await runStack(fleet, stack, async (progress) => {
    progress("reading the site");
    const args = await openAdoption(fleet, stack, policyPack, (text) => show(text));
    return { args, site: await rehearse(args) };
  });
  const text = planText(site.plan);
  if (!yes) {
    const next = `\n\nThis was a rehearsal: nothing was touched. Do it with: npm run fleet -- adopt ${stack.name} --yes`;
    const ok = site.plan.blockers.length === 0;
    return { ok, json: site.plan, text: ok ? text + next : text };
  }
  output.note(text);
  const journal = await wayOn(stack, args.journal, () =>
    runStack(fleet, stack, (progress) => {
      show = progress;
      return adopt({ ...args, step: stepOf(fleet, progress) }, site);
    }),
  );
  return {
    ok: true,
    json: {
      ...site.plan,
      adopted: journal.finished,
      backup: journal.backup,
      saved: args.journal.path,
    },
    text:
      `\nStack ${stack.name} has the site; every object is the one that it was.\n` +
      `What was before is in ${args.journal.path}, for --undo: as secret as the cluster's own ` +
      "Secrets. Delete it when you will not go back.",
  };
}

async function undoAdoption(fleet: Fleet, stack: Stack, { yes, policyPack }: Options) {
  const args = await openAdoption(fleet, stack, policyPack, () => undefined);
  const journal = await args.journal.read();
  if (!journal) throw new UsageError(`nothing to undo: there is no ${args.journal.path}`);
  const { output, interrupted: signal } = fleet;
  output.note(undoText(journal));
  if (!yes && !(await output.confirm("Give the site back to Helm?", { signal }))) {
    return { ok: false, json: { undone: false }, text: "Nothing was touched." };
  }
  const kept = await wayOn(stack, args.journal, () =>
    runStack(fleet, stack, (progress) => undo({ ...args, step: stepOf(fleet, progress) }, journal)),
  );
  const text = `The site is Helm's again, as it was at ${journal.started}. What was saved is kept in ${kept}.`;
  return { ok: true, json: { undone: true, saved: kept }, text };
}

/** Work that may end half-way: then its error says how to go on, and how to go back. */
async function wayOn<T>(
  { name }: Stack,
  journal: JournalFile<Journal>,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const begun = await journal.read();
    const command = `npm run fleet -- adopt ${name}`;
    const way =
      begun && !begun.finished
        ? `The adoption is neither finished nor undone. Go on with: ${command} --yes; go back with: ` +
          `${command} --undo`
        : "Nothing was touched.";
    if (error instanceof Interrupted) throw new Interrupted(way);
    if (error instanceof Failure) throw new Failure(`${error.message}\n${way}`);
    throw error;
  }
}

/** Says each step, and ends before the next one when the command is to end. */
function stepOf({ interrupted }: Fleet, progress: Progress): (what: string) => void {
  return (what) => {
    interrupted.throwIfAborted();
    progress(what);
  };
}
