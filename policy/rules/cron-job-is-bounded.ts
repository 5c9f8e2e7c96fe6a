/**
 * A CronJob never overlaps with itself, never runs for ever and leaves few Jobs behind.
 *
 * Replace killed archive runs half-way (incident 4); runs without limits piled up Jobs and pods in
 * etcd (incident 6). Defaults count as if they were stated: concurrencyPolicy Allow, histories of 3
 * and 1, backoffLimit 6.
 */
import * as z from "zod";
import { View } from "../core/data";
import { KubeObject } from "../core/objects";
import { Fault, resourceRule } from "../core/rule";
import { isTimeZone, scheduleError } from "../core/cron";
import { objectNames, settings } from "../core/settings";

const ownSettings = settings({
  maxHistory: z.int().min(0).default(3).describe("most finished Jobs to keep, of either outcome"),
  maxBackoffLimit: z.int().min(0).default(5).describe("most retries; Kubernetes' own default is 6"),
  mayReplace: objectNames
    .default([])
    .describe("CronJobs, as namespace/name, of which a new run may kill the one before"),
});

type Settings = z.infer<typeof ownSettings>;

export default resourceRule({
  name: "cron-job-is-bounded",
  title: "A CronJob is bounded",
  description: "A CronJob never overlaps with itself, ends in time and leaves few Jobs behind.",
  level: "mandatory",
  severity: "high",
  incidents: [4, 6],
  remediation:
    "Set concurrencyPolicy Forbid, history limits, and activeDeadlineSeconds and backoffLimit in the Job template.",
  url: "https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/",
  settings: ownSettings,

  check(object, judge, settings) {
    if (!object.is("CronJob")) {
      return;
    }
    const spec = object.view.at("spec");
    const job = spec.at("jobTemplate", "spec");
    for (const question of [
      () => concurrency(object, spec, settings),
      () => history(spec.at("successfulJobsHistoryLimit"), 3, settings),
      () => history(spec.at("failedJobsHistoryLimit"), 1, settings),
      () => deadline(job.at("activeDeadlineSeconds")),
      () => backoff(job, settings),
      () => startingDeadline(spec),
      () => schedule(spec.at("schedule")),
      () => timeZone(spec.at("timeZone")),
    ]) {
      judge(object, question);
    }
  },
});

function concurrency(object: KubeObject, spec: View, { mayReplace }: Settings): Fault | undefined {
  const at = spec.at("concurrencyPolicy");
  const policy = at.text() ?? "Allow";
  const replaces = policy === "Replace" && mayReplace.includes(object.key());
  return policy === "Forbid" || replaces
    ? undefined
    : {
        at,
        found: policy === "Replace" ? "Replace kills a running Job" : `${policy} lets runs overlap`,
        fix: "Set it to Forbid; a CronJob whose runs may be killed is named in mayReplace.",
      };
}

function history(at: View, byDefault: number, { maxHistory }: Settings): Fault | undefined {
  const limit = at.number() ?? byDefault;
  return limit <= maxHistory
    ? undefined
    : { at, found: `${limit} finished Jobs are kept`, fix: `Set it to ${maxHistory} or less.` };
}

function deadline(at: View): Fault | undefined {
  return (at.number() ?? 0) > 0
    ? undefined
    : {
        at,
        found: "a run that hangs is never ended, and Forbid then holds up every later one",
        fix: "Set it to the longest time that a run may take.",
      };
}

/** An Indexed Job that bounds each index has no bound of its own by default. */
function backoff(job: View, { maxBackoffLimit }: Settings): Fault | undefined {
  const perIndex = job.at("backoffLimitPerIndex").number();
  const at = job.at(perIndex === undefined ? "backoffLimit" : "backoffLimitPerIndex");
  const limit = perIndex ?? at.number() ?? 6;
  return limit <= maxBackoffLimit
    ? undefined
    : {
        at,
        found: `a failing run is tried ${limit} more times`,
        fix: `Set it to ${maxBackoffLimit} or less.`,
      };
}

/** Runs that were missed while suspended are counted when it goes on; below 10 s none would start. */
function startingDeadline(spec: View): Fault | undefined {
  const at = spec.at("startingDeadlineSeconds");
  const seconds = at.number();
  if ((seconds ?? 10) < 10) {
    return {
      at,
      found: `${seconds} s is shorter than the controller's own interval, so runs may never start`,
      fix: "Set it to 10 or more.",
    };
  }
  return seconds === undefined && spec.at("suspend").bool()
    ? {
        at,
        found: "it is suspended, and every run missed meanwhile is due when it goes on",
        fix: "Set startingDeadlineSeconds.",
      }
    : undefined;
}

function schedule(at: View): Fault | undefined {
  const error = scheduleError(at.text() ?? "");
  return error
    ? {
        at,
        found: `"${at.text() ?? ""}" is no schedule (${error})`,
        fix: "Kubernetes takes five fields (minute hour day month weekday 0-6) with names, lists, ranges and steps, or a word such as @daily; the time zone goes into spec.timeZone.",
      }
    : undefined;
}

function timeZone(at: View): Fault | undefined {
  return at.isAbsent() || isTimeZone(at.text() ?? "")
    ? undefined
    : {
        at,
        found: `"${at.text() ?? ""}" is no time zone`,
        fix: "Kubernetes takes a name of the tz database, written as there, such as Europe/Berlin.",
      };
}
