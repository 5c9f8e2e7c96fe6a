/**
 * Cron schedules as Kubernetes reads them: robfig/cron's standard parser. Five fields with names,
 * lists, ranges and steps, or a descriptor; none of L, W and #, and no time zone inside.
 */

const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const DESCRIPTORS = /^@(yearly|annually|monthly|weekly|daily|midnight|hourly)$/;
/** Go's durations: signed, and each part a number (".5", "5.", "1.5") with its unit. */
const EVERY = /^@every [+-]?((?=\.?\d)\d*\.?\d*([nuµμm]?s|m|h))+$/;

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
  const parts = schedule.split(/\s/).filter(Boolean);
  if (parts.length !== FIELDS.length) return `${parts.length} fields instead of 5`;
  for (const [i, field] of FIELDS.entries()) {
    const items = parts[i].split(",").filter(Boolean);
    if (!items.length) return `${field.name}: empty list`;
    for (const item of items) {
      const fault = itemError(item, field);
      if (fault) return `${field.name}: ${fault}`;
    }
  }
  return undefined;
}

/** Whether the tz database has a time zone of this name, in upper and lower case as there. */
export function isTimeZone(name: string): boolean {
  try {
    const { timeZone } = new Intl.DateTimeFormat("en", { timeZone: name }).resolvedOptions();
    const isOfOtherCase = timeZone !== name && timeZone.toLowerCase() === name.toLowerCase();
    // Its aliases, which come back as another name, begin each part with a capital letter as well.
    const isLikeOne = name.split("/").every((part) => /^[A-Z]/.test(part));
    return isLikeOne && !isOfOtherCase;
  } catch {
    return false;
  }
}

function itemError(item: string, field: Field): string | undefined {
  const [range, step, ...more] = item.split("/");
  if (more.length) return `two steps in "${item}"`;
  if (step !== undefined && !(numberOf(step) > 0)) return `"${step}" is no step`;
  const ends = range.split("-");
  if (ends[0] === "*" || ends[0] === "?") return undefined;
  if (ends.length > 2) return `two ranges in "${item}"`;
  const values = ends.map((end) => valueOf(end, field));
  const wrong = values.findIndex((value) => !(value >= field.min && value <= field.max));
  if (wrong >= 0) return `"${ends[wrong]}" is not within ${field.min} to ${field.max}`;
  const [from, to = from] = values;
  return from > to ? `the range "${range}" goes backwards` : undefined;
}

function valueOf(text: string, { min, names = [] }: Field): number {
  const named = names.indexOf(text.toLowerCase());
  return named >= 0 ? named + min : numberOf(text);
}

/** NaN, which is within no bounds, for what is no number. */
function numberOf(text: string): number {
  return /^\+?\d+$/.test(text) ? Number(text) : NaN;
}
