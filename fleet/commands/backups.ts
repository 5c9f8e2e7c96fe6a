/**
 * `fleet backups`: what is on a stack's backup volume, and away with what a person names. A proven backup
 * is told twice, and the newest one never goes.
 */
import type { Command } from "commander";
import type { Settings } from "../../components/settings";
import {
  type Backup,
  type BackupVolume,
  listBackups,
  nightsLeft,
  olderThan,
  type OtherEntry,
  removeBackups,
} from "../backups";
import { chosenBackup, FROM_HELP } from "../chosen-backup";
import { type Cluster, connect } from "../cluster";
import { downloadBackup } from "../download";
import { Interrupted, UsageError } from "../errors";
import { type Fleet, positive, type Register, type Result, type Run } from "../fleet";
import { age, bytes } from "../format";
import { table } from "../report";
import { type Progress, runStack } from "../run";
import { assertHostName, chooseStack, readSettings } from "../stacks";

const HEADER = ["NAME", "AGE", "SIZE", "TABLES", "ROWS", "MATOMO", "MARIADB", "PROVEN"];
const HEADER_OFFSITE = [...HEADER.slice(0, -1), "WHERE", "PROVEN"];
const OTHER_HEADER = ["NO BACKUP OF THIS PROGRAM", "SIZE", "CHANGED"];

export const registerBackups: Register = (program, run) => {
  const command = program
    .command("backups")
    .description("lists the proven backups of a stack, off-site too; exit 1 when there is none")
    .argument("<stack>", "stack")
    .action((name: string) =>
      run(command, async (fleet) => {
        const { settings, list } = await open(fleet, name);
        const volume = await list();
        const { backups, offsite } = volume;
        const isThere = backups.length > 0 || Boolean(offsite?.backups.length);
        return {
          ok: isThere && !offsite?.error,
          json: { stack: name, ...volume, nightsLeft: nightsLeft(volume, retention(settings)) },
          text: listText(volume, retention(settings)),
        };
      }),
    );
  registerDownload(command, run);
  registerDelete(command, run);
  registerPrune(command, run);
};

interface DownloadOptions {
  from: string;
  to: string;
}

function registerDownload(backups: Command, run: Run): void {
  const command = backups
    .command("download")
    .description("brings a proven backup to this machine, and compares it with its manifest")
    .argument("<stack>", "stack")
    .requiredOption("--to <folder>", "where its own folder is made: it has visitors' data")
    .option("--from <backup>", FROM_HELP, "newest")
    .action((name: string, { from, to }: DownloadOptions) =>
      run(command, async (fleet) => {
        const chosen = chosenBackup(from);
        const { work } = await open(fleet, name);
        const signal = fleet.interrupted;
        const done = await work((cluster, progress) =>
          downloadBackup(cluster, chosen, to, progress, signal),
        ).catch((error: unknown) => {
          if (!(error instanceof Interrupted)) throw error;
          throw new Interrupted("What came stays: the same command goes on with it");
        });
        return {
          ok: true,
          json: { stack: name, ...done },
          text: `${name}: ${done.name} is in ${done.folder}, ${bytes(done.bytes)}, as its manifest says`,
        };
      }),
    );
}

interface Confirmed {
  yes?: boolean;
  confirm?: string;
}

function registerDelete(backups: Command, run: Run): void {
  const command = confirmed(
    backups
      .command("delete")
      .description("removes what it is told from the backup volume, but the newest proven backup")
      .argument("<stack>", "stack")
      .argument("<names...>", "names that `fleet backups` lists"),
  ).action((name: string, names: string[], options: Confirmed) =>
    run(command, (fleet) =>
      remove(fleet, name, options, ({ backups, others }) => {
        const there = [...backups, ...others];
        const unknown = names.filter((one) => !there.some((entry) => entry.name === one));
        if (unknown.length) {
          const known = there.map((entry) => entry.name).join(", ");
          throw new UsageError(`found ${unknown.join(", ")}; allowed: ${known || "there is none"}`);
        }
        const newest = backups.at(-1)?.name;
        if (newest !== undefined && names.includes(newest)) {
          throw new UsageError(`${newest} is the newest proven backup: make another one first`);
        }
        return {
          backups: backups.filter((one) => names.includes(one.name)),
          others: others.filter((one) => names.includes(one.name)),
        };
      }),
    ),
  );
}

interface PruneOptions extends Confirmed {
  keepDays?: number;
  others?: boolean;
}

function registerPrune(backups: Command, run: Run): void {
  const command = confirmed(
    backups
      .command("prune")
      .description("removes backups older than the retention, but the newest proven one")
      .argument("<stack>", "stack")
      .option("--keep-days <n>", "days that are kept (default: the stack's retention)", positive)
      .option("--others", "also what is no backup of this program: an older chart's dumps"),
  ).action((name: string, options: PruneOptions) =>
    run(command, (fleet) =>
      remove(fleet, name, options, ({ backups, others }, settings) => ({
        backups: olderThan(backups, options.keepDays ?? retention(settings)),
        others: options.others ? others : [],
      })),
    ),
  );
}

/** The answers of somebody who is not there to be asked. */
function confirmed(command: Command): Command {
  return command
    .option("--yes", "do it without asking; needed without a terminal")
    .option("--confirm <domain>", "proven backups too: the site's host name, said again");
}

const retention = ({ backup }: Settings): number => backup.retentionDays;

/** A stack's settings, and how to work on its cluster. */
async function open(fleet: Fleet, name: string) {
  const stack = await chooseStack(fleet, name);
  const settings = await readSettings(fleet, stack);
  const work = <T>(todo: (cluster: Cluster, progress: Progress) => Promise<T>): Promise<T> =>
    runStack(fleet, stack, async (progress) =>
      todo(await connect(fleet, settings.cluster), progress),
    );
  const list = () => work((cluster, progress) => listBackups(cluster, progress, fleet.interrupted));
  return { settings, work, list };
}

interface Goes {
  backups: Backup[];
  others: OtherEntry[];
}

/** Removes what was chosen of a list that was just made, once that was told. */
async function remove(
  fleet: Fleet,
  name: string,
  { yes, confirm }: Confirmed,
  choose: (volume: BackupVolume, settings: Settings) => Goes,
): Promise<Result> {
  const { output, interrupted: signal } = fleet;
  const { settings, work, list } = await open(fleet, name);
  const { domain } = settings;
  assertHostName("--confirm", confirm, name, settings);
  const volume = await list();
  const { backups, others } = choose(volume, settings);
  const entries = [...backups, ...others];
  if (!entries.length) {
    return {
      ok: true,
      json: { stack: name, removed: [], ...volume },
      text: `${name}: nothing to remove`,
    };
  }
  if (!volume.backups.length) {
    throw new UsageError(
      `there is no proven backup of ${name}: what is on its volume may be the only copy. ` +
        `Make one first: npm run fleet -- backup ${name}`,
    );
  }
  const lines = entries.map((one) => `  ${one.name}  ${bytes(one.bytes)}`).join("\n");
  const untouched = {
    ok: false,
    json: { stack: name, removed: [] },
    text: `${name}: nothing was removed`,
  };
  const question = `Remove from the backup volume of ${name}:\n${lines}`;
  if (!yes && !(await output.confirm(question, { signal }))) return untouched;
  if (backups.length && confirm === undefined) {
    const again = `${backups.length} of them ${backups.length === 1 ? "is a proven backup" : "are proven backups"} of ${domain}, and nobody can make them again.`;
    const answer = { expected: domain, option: `--confirm ${domain} too`, signal };
    if (!(await output.confirm(again, answer))) return untouched;
  }
  const names = entries.map((one) => one.name);
  const left = await work((cluster, progress) => removeBackups(cluster, names, progress, signal));
  return {
    ok: true,
    json: { stack: name, removed: names, ...left },
    text: `${name}: removed ${names.join(", ")}\n${spaceText(left, retention(settings))}`,
  };
}

function listText(volume: BackupVolume, retentionDays: number): string {
  const { offsite } = volume;
  const rows = rowsOf(volume);
  const others = volume.others.map((one) => [one.name, bytes(one.bytes), one.changed]);
  const without = volume.backups
    .filter((backup) => backup.leftOut.length)
    .map((backup) => `${backup.name} is without ${backup.leftOut.join(", ")}`);
  return [
    rows.length ? table(offsite ? HEADER_OFFSITE : HEADER, rows) : "no proven backup",
    ...without,
    ...(offsite?.error ? [`off-site cannot be read: ${offsite.error}`] : []),
    ...(others.length ? [table(OTHER_HEADER, others)] : []),
    spaceText(volume, retentionDays),
  ].join("\n");
}

/** A row for each backup, oldest first; one that is in both places has one. */
function rowsOf({ backups, offsite }: BackupVolume): string[][] {
  const here = new Map(backups.map((backup) => [backup.name, backup]));
  const there = new Map((offsite?.backups ?? []).map((backup) => [backup.name, backup]));
  return [...new Set([...here.keys(), ...there.keys()])].sort().map((name) => {
    const own = here.get(name);
    const backup = own ?? there.get(name)!;
    const took = own && age(own.milliseconds.restore + own.milliseconds.proof);
    const proof = [
      ...(took ? [`restored and compared in ${took}`] : []),
      ...(there.has(name) ? ["read back from off-site"] : []),
    ];
    return [
      name,
      age(Date.now() - Date.parse(backup.time)),
      bytes(backup.bytes),
      String(backup.tables),
      String(backup.rows),
      backup.matomo,
      backup.mariadb,
      ...(offsite ? [own ? (there.has(name) ? "both" : "volume") : "off-site"] : []),
      proof.join(", "),
    ];
  });
}

/** What the volume holds, and how long it will do. */
function spaceText(volume: BackupVolume, retentionDays: number): string {
  const sum = (entries: { bytes: number }[]) =>
    bytes(entries.reduce((total, one) => total + one.bytes, 0));
  const parts = [`${sum(volume.backups)} of backups`];
  if (volume.others.length) parts.push(`${sum(volume.others)} of what is none`);
  const used = `${parts.join(", ")}; ${bytes(volume.free)} of ${bytes(volume.bytes)} free on the backup volume`;
  const nights = nightsLeft(volume, retentionDays);
  if (nights === undefined) return used;
  const days = `${retentionDays} ${retentionDays === 1 ? "day" : "days"}`;
  return nights === null
    ? `${used}\nroom for all backups of ${days}, at the newest one's size`
    : `${used}\nroom for ${nights} more ${nights === 1 ? "night" : "nights"} at the newest backup's size; ` +
        `then the oldest go before their ${days}: grow storage.backup, or set a shorter backup.retentionDays`;
}
