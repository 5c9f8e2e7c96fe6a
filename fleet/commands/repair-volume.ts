/**
 * `fleet repair-volume`: a volume that the storage driver lost (incident 7). What was found is said as
 * soon as it is known; nothing is touched before it was told to be, twice where data is replaced.
 */
import * as path from "node:path";
import { Argument, Option } from "commander";
import { NAMES } from "../../components/labels";
import type { ClusterSettings } from "../../components/settings";
import { type Cluster, locate, reach } from "../cluster";
import { policyPackOption } from "../deploy";
import { stackEngine } from "../engine";
import { UsageError } from "../errors";
import { type Fleet, positive, type Register, type Result } from "../fleet";
import { readCronJob } from "../jobs";
import { JournalFile } from "../journal";
import { ANSWER_SECONDS, readCluster, withCloud, within } from "../repair/facts";
import { type Facts, type Finding, judge } from "../repair/judge";
import { findingText, planOf, planText } from "../repair/plan";
import {
  begin,
  CLAIMS,
  newestBackup,
  repairBackup,
  repairData,
  type RepairArgs,
  type RepairJournal,
  unfinished,
  type What,
} from "../repair/repair";
import type { LostClaim } from "../repair/release";
import { type Progress, runStack } from "../run";
import { chooseStack, readSettings, type Stack } from "../stacks";
import { jobText } from "./run-job";

interface Options {
  yes?: boolean;
  overwrite?: string;
  /** Longest wait for an answer, in seconds. */
  wait: number;
  policyPack: string;
}

const HELP = `
Without --yes, and without a terminal: says what was found and what would be done. Exit 0 when the
volume is well, 1 when it is not. An interrupted repair goes on when it is run again. An answer that
does not come in time is no finding: nothing is touched, and --wait lets it take longer.
backup  the volume is made anew and a backup made at once
data    web and database volumes come back from the newest proven backup; needs --overwrite too`;

export const registerRepairVolume: Register = (program, run) => {
  const command = program
    .command("repair-volume")
    .description("finds a volume that the storage driver lost, and makes it anew")
    .argument("<stack>", "stack")
    .addArgument(new Argument("<what>", "whose volume").choices(Object.keys(CLAIMS)))
    .option("--yes", "do it without asking; needed without a terminal")
    .option("--overwrite <domain>", "data: replace what is there: the site's host name, said again")
    .addOption(
      new Option(
        "--wait <seconds>",
        "longest wait for the cluster's answer, and for DigitalOcean's",
      )
        .default(ANSWER_SECONDS)
        .argParser(positive),
    )
    .addOption(policyPackOption())
    .addHelpText("after", HELP)
    .action((name: string, what: What, options: Options) =>
      run(command, async (fleet) =>
        repairVolume(fleet, await chooseStack(fleet, name), what, options),
      ),
    );
};

async function repairVolume(
  fleet: Fleet,
  stack: Stack,
  what: What,
  options: Options,
): Promise<Result> {
  const { output } = fleet;
  const { cluster: where, domain } = await readSettings(fleet, stack);
  assertOverwrite(what, options, domain);
  const { cluster, seen } = await runStack(fleet, stack, (progress) =>
    look(fleet, where, options.wait, progress),
  );
  const own = seen.filter(({ facts }) => CLAIMS[what].includes(facts.claim));
  const findings = own.map(({ finding }) => finding);
  const json = { stack: stack.name, what, findings };
  const found = findings.map(findingText).join("\n");
  const lost = own.filter(({ finding }) => finding.verdict === "lost");
  const unclear = findings.some(({ verdict }) => verdict === "unclear");
  const journal = journalOf(fleet, stack, what);
  const now = lost.map(({ facts }) => facts);
  const saved = await unfinished(cluster, journal, now);
  if (!saved && (unclear || !lost.length)) {
    const text = unclear ? `${found}\nNot plainly lost: nothing was touched.` : found;
    return { ok: !unclear, json, text };
  }
  output.note(found);
  const args = (progress: Progress): RepairArgs => ({
    ...{ cluster, journal, progress, signal: fleet.interrupted },
    engine: stackEngine(fleet, stack, options.policyPack, progress),
  });
  const begun = saved ?? {
    what,
    lost: now.map(lostClaim),
    backup:
      what === "data"
        ? await runStack(fleet, stack, (progress) => newestBackup(args(progress), backupOf(seen)))
        : undefined,
  };
  const plan = planOf(begun);
  const goesOn = saved ? `\nThis goes on with the repair of ${saved.started}.` : "";
  const shown = `${planText(plan)}${goesOn}`;
  output.note(`\n${shown}\n`);
  if (!(await isTold(fleet, what, options, domain))) {
    const text = `${found}\n\n${shown}\n\nNothing was touched. Do it with --yes.`;
    return { ok: false, json: { ...json, plan, repaired: false }, text };
  }
  const job = await runStack(fleet, stack, async (progress) => {
    const entry = saved ?? (await begin(args(progress), begun));
    return what === "backup"
      ? repairBackup(args(progress), entry)
      : repairData(args(progress), entry, domain);
  });
  const text = jobText(output, stack.name, job);
  return { ok: job.ok, json: { ...json, plan, repaired: true, job }, text };
}

interface Seen {
  facts: Facts;
  finding: Finding;
}

/**
 * What is known of the site's volumes.
 * @throws Failure when the cluster does not answer in so many seconds from where it was found
 */
async function look(
  fleet: Fleet,
  where: ClusterSettings,
  seconds: number,
  progress: Progress,
): Promise<{ cluster: Cluster; seen: Seen[] }> {
  progress("connects");
  const place = await locate(fleet, where);
  progress("looks at the volumes");
  const read = async () => {
    const cluster = await reach(place);
    // Of a stack that is not deployed nothing can be lost.
    await readCronJob(cluster, NAMES.backup);
    return { cluster, known: await readCluster(cluster, Object.values(CLAIMS).flat()) };
  };
  const next = `Run the command again, or let it take longer: --wait ${10 * seconds}`;
  const said = "what the cluster says of the volumes";
  const { cluster, known } = await within(seconds, said, read(), next);
  const facts = await withCloud(cluster, known, seconds);
  return { cluster, seen: facts.map((one) => ({ facts: one, finding: judge(one) })) };
}

function backupOf(seen: Seen[]): Finding {
  return seen.find(({ facts }) => facts.claim === NAMES.backupClaim)!.finding;
}

function lostClaim({ claim, found, volume, cloud }: Facts): LostClaim {
  const isThere = typeof cloud === "object" && "id" in cloud && cloud.id === volume?.handle;
  return { name: claim, uid: found?.uid, volume, lostVolume: isThere ? undefined : volume?.handle };
}

function journalOf(fleet: Fleet, stack: Stack, what: What): JournalFile<RepairJournal> {
  return new JournalFile(path.join(fleet.stacks, ".repair"), `${stack.name}-${what}`);
}

function assertOverwrite(what: What, { overwrite }: Options, domain: string): void {
  if (overwrite === undefined) return;
  if (what !== "data") throw new UsageError("--overwrite is for data: a backup replaces nothing");
  if (overwrite === domain) return;
  throw new UsageError(
    `--overwrite: found "${overwrite}"; allowed: ${domain}, the site's host name`,
  );
}

/** Whether it shall be done. Without a terminal and without `--yes` it shall only be shown. */
async function isTold(
  { output, interrupted: signal }: Fleet,
  what: What,
  { yes, overwrite }: Options,
  domain: string,
): Promise<boolean> {
  if (!yes && !output.asks) return false;
  if (!yes && !(await output.confirm("Repair it?", { signal }))) return false;
  if (what === "backup" || overwrite === domain) return true;
  const question = `${domain} comes back as it was at that backup: database and state are replaced.`;
  const option = `--overwrite ${domain} too`;
  return output.confirm(question, { expected: domain, option, signal });
}
