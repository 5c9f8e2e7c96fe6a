/**
 * Scheduled runs without waiting for the clock. After an outage the CronJob controller starts the
 * newest run that it missed; so a schedule that was due some minutes ago, and was not served yet,
 * starts its Job at once. Names, histories and concurrency are the controller's own doing.
 */
import { BatchV1Api } from "@kubernetes/client-node";
import { MERGE } from "../../../local/standins/cloud/kube";
import type { Bench } from "./bench";

const MINUTE = 60_000;

/** Makes the CronJob's run of `at` due; the name that its Job gets. */
export async function makeDue(bench: Bench, cronJob: string, at: Date): Promise<string> {
  const batch = bench.config.makeApiClient(BatchV1Api);
  const { namespace } = bench;
  const schedule = `${at.getUTCMinutes()} ${at.getUTCHours()} * * *`;
  const due = { name: cronJob, namespace, body: { spec: { schedule } } };
  await batch.patchNamespacedCronJob(due, MERGE);
  // The change of schedule alone would be looked at when it is due again, tomorrow. Half a minute is
  // what the controller itself never writes: the same value again would be no change to look at.
  const lastScheduleTime = new Date(at.getTime() - MINUTE / 2);
  const missed = { name: cronJob, namespace, body: { status: { lastScheduleTime } } };
  await batch.patchNamespacedCronJobStatus(missed, MERGE);
  return `${cronJob}-${at.getTime() / MINUTE}`;
}

/** The full minute so many minutes ago. */
export function minutesAgo(minutes: number): Date {
  return new Date((Math.floor(Date.now() / MINUTE) - minutes) * MINUTE);
}
