/** Which backup a person means by `--from`, and where it is. */
import { UsageError } from "./errors";

export interface ChosenBackup {
  /** Name of a proven backup, or `newest`. */
  backup: string;
  /** Where it is. Default: the backup volume. */
  from?: "offsite";
}

/** What the option's help says. */
export const FROM_HELP = "a name that `fleet backups` lists, or newest; offsite or offsite:NAME";

const FROM = /^(?:(offsite)(?::|$))?(newest|\d{4}-\d\d-\d\dT\d{6}Z)?$/;

/** @throws UsageError when it says neither a backup nor a place */
export function chosenBackup(from: string): ChosenBackup {
  const [found, place, backup] = FROM.exec(from) ?? [];
  if (!found || from.endsWith(":")) {
    throw new UsageError(
      `--from: found "${from}"; allowed: newest, a name such as 2026-01-31T030000Z, offsite, or ` +
        "offsite:2026-01-31T030000Z",
    );
  }
  return { backup: backup ?? "newest", ...(place && { from: "offsite" as const }) };
}
