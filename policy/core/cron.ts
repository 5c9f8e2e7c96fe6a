/**
 * Cron schedules as Kubernetes reads them: robfig/cron's standard parser. Five fields with names,
 * lists, ranges and steps, or a descriptor; none of L, W and #, and no time zone inside.
 */

const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const DESCRIPTORS = /^@(yearly|annually|monthly|weekly|daily|midnight|hourly)$/;
const EVERY =
  /^@every [+-]?(\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)((\d+(\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h))*$/;

interface Field {
  name: string;
  min: number;
  max: number;
  names?: string[];
}

const FIELDS: Field[] = [
  { name: "minute", min: 0, max: 59 },
  { name: "hour", min: 0, max: 23 },
  { name: "day of month", min: 1, max: 31 },
  { name: "month", min: 1, max: 12, names: MONTHS },
  { name: "day of week", min: 0, max: 6, names: WEEKDAYS },
];

/** What is wrong with a schedule, in a few words; undefined when Kubernetes accepts it. */
export function scheduleError(schedule: string): string | undefined {
  if (schedule.includes("TZ")) return "the time zone belongs into timeZone";
  if (schedule.startsWith("@")) {
    const known = DESCRIPTORS.test(schedule) || EVERY.test(schedule);
    return known ? undefined : `no such descriptor: ${schedule}`;
  }
  const parts = schedule.split(/\s+/).filter(Boolean);
  if (parts.length !== FIELDS.length) return `${parts.length} fields instead of 5`;
  for (const [i, field] of FIELDS.entries()) {
    for (const item of parts[i].split(",").filter(Boolean)) {
      const fault = itemError(item, field);
      if (fault) return `${field.name}: ${fault}`;
    }
    if (!/[^,]/.test(parts[i])) return `${field.name}: empty list`;
  }
  return undefined;
}

function itemError(item: string, field: Field): string | undefined {
  const [range, step, ...more] = item.split("/");
  if (more.length) return `two steps in "${item}"`;
  if (step !== undefined && !/^\+?0*[1-9]\d*$/.test(step)) return `"${step}" is no step`;
  const ends = range.split("-");
  if (ends[0] === "*" || ends[0] === "?") return undefined;
  if (ends.length > 2) return `two ranges in "${item}"`;
  const values = ends.map((end) => valueOf(end, field));
  const wrong = values.findIndex((value) => value === undefined);
  if (wrong >= 0) return `"${ends[wrong]}" is not within ${field.min} to ${field.max}`;
  const [from, to = from] = values as number[];
  return from > to ? `the range "${range}" goes backwards` : undefined;
}

function valueOf(text: string, { min, max, names }: Field): number | undefined {
  const named = names?.indexOf(text.toLowerCase()) ?? -1;
  if (named >= 0) return named + min;
  const value = /^\+?\d+$/.test(text) ? Number(text) : NaN;
  return value >= min && value <= max ? value : undefined;
}
