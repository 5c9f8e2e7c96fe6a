/**
 * `fleet rollback`: an upgrade that came up and is bad is taken back, to the version that the stack's
 * settings state and to the backup that was made before it. Told twice, as it replaces a site that serves.
 */
import * as path from "node:path";
import { connect } from "../cluster";
import { policyPackOption } from "../deploy";
import { stackEngine } from "../engine";
import { Interrupted } from "../errors";
import type { Register } from "../fleet";
import { JournalFile } from "../journal";
import { planRollback, rollBack, type RollbackJournal, unfinishedRollback } from "../rollback";
import { runStack } from "../run";
import { assertHostName, chooseStack, readSettings } from "../stacks";

interface Options {
  yes?: boolean;
  overwrite?: string;
  export: boolean;
  policyPack: string;
}

export const registerRollback: Register = (program, run) => {
  const command = program
    .command("rollback")
    .description(
      "back to the Matomo that the settings state, and to the newest proven backup of it",
    )
    .argument("<stack>", "stack, its matomo.version set back already")
    .option("--yes", "do it without asking; needed without a terminal")
    .option("--overwrite <domain>", "replace the site that is there: its host name, said again")
    .option("--no-export", "without a backup of what came in since: it is lost")
    .addOption(policyPackOption())
    .action((name: string, options: Options) =>
      run(command, async (fleet) => {
        const stack = await chooseStack(fleet, name);
        const settings = await readSettings(fleet, stack);
        const { domain } = settings;
        assertHostName("--overwrite", options.overwrite, name, settings);
        const { output, interrupted: signal } = fleet;
        const file = path.join(fleet.stacks, ".rollback");
        const journal = new JournalFile<RollbackJournal>(file, name);
        const cluster = await connect(fleet, settings.cluster);
        const left = await unfinishedRollback(settings, journal);
        const begun =
          left ??
          (await runStack(fleet, stack, (progress) =>
            planRollback(settings, { cluster, progress, signal }),
          ));
        const { from, to, backup } = begun;
        const goesOn = left ? ` This goes on with the rollback of ${left.started}.` : "";
        const question =
          `Roll ${name} (${domain}) back from Matomo ${from} to ${to}, and to its backup ` +
          `${backup.name}? Its web pod is away meanwhile.${goesOn}`;
        const untouched = {
          ok: false,
          json: { stack: name, ok: false },
          text: `${name}: nothing was touched`,
        };
        if (!options.yes && !(await output.confirm(question, { signal }))) return untouched;
        if (options.overwrite === undefined) {
          const again =
            `What ${domain} recorded since ${backup.name} will be gone from it` +
            (options.export ? ", and is in a backup of its own." : ", and in no backup.");
          const answer = { expected: domain, option: `--overwrite ${domain} too`, signal };
          if (!(await output.confirm(again, answer))) return untouched;
        }
        const { journal: done } = await runStack(fleet, stack, (progress) => {
          const engine = stackEngine(fleet, stack, options.policyPack, progress);
          const args = { cluster, engine, journal, progress, signal };
          return rollBack(args, settings, begun, { exports: options.export });
        }).catch((error: unknown) => {
          if (!(error instanceof Interrupted)) throw error;
          throw new Interrupted(
            "The web pod may be away, with no nightly backup, and a Job that was made goes on. When it " +
              `has ended, run the same command again: it goes on by ${journal.path}`,
          );
        });
        const since = done.exported
          ? `what came in since, ${Math.max(done.exported.actions - backup.actions, 0)} actions of visitors, is in ` +
            `${done.exported.name}, a backup of ${from}`
          : "what came in since is in no backup";
        return {
          ok: true,
          json: { stack: name, ok: true, from, to, backup, exported: done.exported },
          text: `${name}: back to Matomo ${to} and to ${backup.name}; ${since}`,
        };
      }),
    );
};
