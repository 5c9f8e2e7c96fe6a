import { change, workload } from "../support/objects";
import { UNKNOWN } from "../support/proxy";
import { table } from "../support/table";

const job = workload("CronJob", "job");
const at = (path: string, value: unknown) => change(job, `spec.${path}`, value);
const refused = (path: string, value: unknown) => ({
  title: `${path} ${value ?? "absent"}`,
  given: at(path, value),
  finds: [`violation job: spec.${path}`],
});
const allowed = (path: string, value: unknown) => ({
  title: `${path} ${value ?? "absent"}`,
  given: at(path, value),
});

table("cron-job-is-bounded", [
  { title: "bounded", given: job },
  { title: "a Job is no CronJob", given: workload("Job", "job") },
  { ...refused("concurrencyPolicy", "Replace"), says: "kills a running Job" },
  { ...refused("concurrencyPolicy", "Allow"), says: "overlap" },
  refused("concurrencyPolicy", undefined),
  {
    title: "Replace where a setting names it",
    given: at("concurrencyPolicy", "Replace"),
    settings: { mayReplace: ["shop/job"] },
  },
  {
    title: "Allow where Replace may be",
    given: at("concurrencyPolicy", "Allow"),
    settings: { mayReplace: ["shop/job"] },
    finds: ["violation job: spec.concurrencyPolicy"],
  },
  refused("successfulJobsHistoryLimit", 4),
  refused("failedJobsHistoryLimit", 10),
  allowed("successfulJobsHistoryLimit", 0),
  allowed("successfulJobsHistoryLimit", 3),
  allowed("failedJobsHistoryLimit", 3),
  {
    title: "a stricter history, against the default",
    given: job,
    settings: { maxHistory: 1 },
    finds: ["violation job: spec.successfulJobsHistoryLimit"],
  },
  {
    title: "no history, against the defaults",
    given: job,
    settings: { maxHistory: 0 },
    finds: [
      "violation job: spec.successfulJobsHistoryLimit",
      "violation job: spec.failedJobsHistoryLimit",
    ],
  },
  refused("jobTemplate.spec.activeDeadlineSeconds", undefined),
  refused("jobTemplate.spec.activeDeadlineSeconds", 0),
  refused("jobTemplate.spec.backoffLimit", undefined),
  refused("jobTemplate.spec.backoffLimit", 6),
  allowed("jobTemplate.spec.backoffLimit", 0),
  allowed("jobTemplate.spec.backoffLimit", 5),
  {
    title: "a limit for each index instead",
    given: change(
      at("jobTemplate.spec.backoffLimitPerIndex", 1),
      "spec.jobTemplate.spec.backoffLimit",
      undefined,
    ),
  },
  refused("jobTemplate.spec.backoffLimitPerIndex", 6),
  refused("startingDeadlineSeconds", 9),
  allowed("startingDeadlineSeconds", 10),
  {
    title: "suspended",
    given: at("suspend", true),
    finds: ["violation job: spec.startingDeadlineSeconds"],
  },
  {
    title: "suspended, with a deadline",
    given: change(at("suspend", true), "spec.startingDeadlineSeconds", 300),
  },
  allowed("suspend", false),
  // Schedules.
  ...[
    "0 3 * * *",
    "*/15 * * * *",
    "*/05 * * * *",
    "5/20 * * * ?",
    "0 0 1,15 jan-mar MON-fri",
    "0-30/10 0,12 * * 0-6",
    "@daily",
    "@every 1h30m",
    " 0  3 * * * ",
    "*/100 * * * *",
  ].map((schedule) => allowed("schedule", schedule)),
  ...[
    "0 3 * * 7",
    "0 3 * *",
    "0 0 3 * * *",
    "60 * * * *",
    "0 24 * * *",
    "0 0 0 * *",
    "0 0 32 * *",
    "0 0 * 13 *",
    "0 0 L * *",
    "0 0 15W * *",
    "0 0 * * 5#2",
    "30-10 * * * *",
    "*/0 * * * *",
    "1-2-3 * * * *",
    "1/2/3 * * * *",
    "a * * * *",
    "TZ=Europe/Berlin 0 3 * * *",
    "CRON_TZ=UTC 0 3 * * *",
    "@reboot",
    "@every soon",
    "",
    undefined,
  ].map((schedule) => refused("schedule", schedule)),
  // Time zones.
  ...[undefined, "Europe/Berlin", "Etc/UTC", "UTC", "US/Eastern", "Etc/GMT+5"].map((zone) =>
    allowed("timeZone", zone),
  ),
  ...[
    "Mars/Base",
    "Local",
    "europe/berlin",
    "Asia/kolkata",
    "US/eastern",
    "Etc/utc",
    "utc",
    "+02:00",
    "",
    " UTC",
  ].map((zone) => refused("timeZone", zone)),
  {
    title: "time zone not known yet",
    given: at("timeZone", UNKNOWN),
    finds: ["unknown job: spec.timeZone"],
  },
  {
    title: "schedule not known yet",
    given: at("schedule", UNKNOWN),
    finds: ["unknown job: spec.schedule"],
  },
  {
    title: "all of it not known yet, told once",
    given: at("jobTemplate", UNKNOWN),
    finds: ["unknown job: spec.jobTemplate"],
  },
  {
    title: "suspend not known yet, with a deadline",
    given: change(at("suspend", UNKNOWN), "spec.startingDeadlineSeconds", 300),
  },
  {
    title: "an old API group",
    given: { ...at("concurrencyPolicy", "Replace"), type: "kubernetes:batch/v1beta1:CronJob" },
    finds: ["violation job: spec.concurrencyPolicy"],
  },
]);
