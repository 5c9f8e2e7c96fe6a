/** `fleet backups`: the proven backups of a stack, with their proof. */
import { listBackups } from "../backups";
import { connect } from "../cluster";
import type { Register } from "../fleet";
import { age, bytes } from "../format";
import { table } from "../report";
import { runStack } from "../run";
import { chooseStack, readSettings } from "../stacks";

const HEADER = ["NAME", "AGE", "SIZE", "TABLES", "ROWS", "MATOMO", "MARIADB", "PROVEN"];

export const registerBackups: Register = (program, run) => {
  const command = program
    .command("backups")
    .description("lists the proven backups of a stack; exit 1 when there is none")
    .argument("<stack>", "stack")
    .action((name: string) =>
      run(command, async (fleet) => {
        const stack = await chooseStack(fleet, name);
        const settings = await readSettings(fleet, stack);
        const volume = await runStack(fleet, stack, async (progress) =>
          listBackups(await connect(fleet, settings.cluster), progress, fleet.interrupted),
        );
        const rows = volume.backups.map((backup) => [
          backup.name,
          age(Date.now() - Date.parse(backup.time)),
          bytes(backup.bytes),
          String(backup.tables),
          String(backup.rows),
          backup.matomo,
          backup.mariadb,
          `restored and compared in ${age(backup.milliseconds.restore + backup.milliseconds.proof)}`,
        ]);
        const list = rows.length ? table(HEADER, rows) : "no proven backup";
        const without = volume.backups
          .filter((backup) => backup.leftOut.length)
          .map((backup) => `${backup.name} is without ${backup.leftOut.join(", ")}\n`);
        return {
          ok: rows.length > 0,
          json: { stack: name, ...volume },
          text: `${list}\n${without.join("")}${bytes(volume.free)} of ${bytes(volume.bytes)} free on the backup volume`,
        };
      }),
    );
};
