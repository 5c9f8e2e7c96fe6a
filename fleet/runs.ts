/**
 * The last good run of a CronJob. Its scripts end well only when Matomo's own words say that it
 * archived, or when the backup was restored and compared; so a Job that is complete is the proof.
 *
 * An adopted CronJob is the one that the old chart made, Jobs included. What those called done proves
 * nothing: only runs of the program's own template count.
 */
import type { V1CronJob, V1Job } from "@kubernetes/client-node";
import { CronExpressionParser } from "cron-parser";
import { FIELD_MANAGER } from "../components/ownership";
import { MOUNTS_ANNOTATION } from "../components/pods";
import { endOf } from "./jobs";

export interface LastRun {
  /** Time of the last success. */
  success?: string;
  /** The Job that failed after it. */
  failed?: { job: string; time: string };
  /** Whether a run that was due after it should have ended by now. */
  overdue: boolean;
}

/** @param jobs all Jobs of the namespace */
export function lastRun(cronJob: V1CronJob, jobs: V1Job[], now: Date): LastRun {
  const own = jobs.filter((job) => isOurs(job, cronJob));
  const ends = own.flatMap((job) => {
    const end = endOf(job);
    return end ? [{ job: job.metadata!.name!, ok: end.type === "Complete", at: time(end) }] : [];
  });
  const ours = deployed(cronJob);
  const remembered = +new Date(cronJob.status?.lastSuccessfulTime ?? 0);
  const successes = [
    ...ends.filter(({ ok }) => ok).map(({ at }) => at),
    ...(remembered > ours ? [remembered] : []),
  ];
  const success = successes.length ? Math.max(...successes) : undefined;
  const failed = ends
    .filter(({ ok, at }) => !ok && at > (success ?? 0))
    .sort((a, b) => b.at - a.at)[0];
  const since = success ?? ours;
  return {
    success: success === undefined ? undefined : new Date(success).toISOString(),
    failed: failed && { job: failed.job, time: new Date(failed.at).toISOString() },
    overdue: dueBy(cronJob, new Date(since)) < now,
  };
}

/** Whether a Job is of the CronJob, and of the template that this program gave it. */
function isOurs({ metadata, spec }: V1Job, cronJob: V1CronJob): boolean {
  return (
    metadata!.ownerReferences?.some(({ uid }) => uid === cronJob.metadata!.uid) === true &&
    spec!.template.metadata?.annotations?.[MOUNTS_ANNOTATION] !== undefined
  );
}

/** When the program gave the CronJob the form that it has: what it remembers from before is not its own. */
function deployed({ metadata }: V1CronJob): number {
  const entry = metadata!.managedFields?.find(({ manager }) => manager === FIELD_MANAGER);
  return +new Date(entry?.time ?? metadata!.creationTimestamp!);
}

/** When the next run after `since` has ended at the latest. */
function dueBy({ spec }: V1CronJob, since: Date): Date {
  const { schedule, timeZone, startingDeadlineSeconds = 0, jobTemplate } = spec!;
  const options = { currentDate: since, tz: timeZone ?? "UTC" };
  const due = CronExpressionParser.parse(schedule, options).next().toDate();
  const seconds = startingDeadlineSeconds + (jobTemplate.spec?.activeDeadlineSeconds ?? 3600);
  return new Date(+due + seconds * 1000);
}

function time({ lastTransitionTime }: { lastTransitionTime?: Date }): number {
  return +new Date(lastTransitionTime ?? 0);
}
