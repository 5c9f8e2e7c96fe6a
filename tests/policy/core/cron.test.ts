/** Schedules as the API server's own parser takes or refuses them. */
import assert from "node:assert/strict";
import { scheduleError } from "../../../policy/core/cron";

describe("schedules", () => {
  const accepted = [
    ...["yearly", "annually", "monthly", "weekly", "daily", "midnight", "hourly"].map(
      (word) => `@${word}`,
    ),
    ...["90m", "1h30m", "+1h", "-1h", "1.5h", "1.25h", ".5h", "5.h", "10s", "100ms"].map(
      (duration) => `@every ${duration}`,
    ),
    ...["1us", "1µs", "1μs", "1ns", "1h2m3s4ms"].map((duration) => `@every ${duration}`),
    // Both ends of each field.
    "0 0 1 1 0",
    "59 23 31 12 6",
    ..."jan feb mar apr may jun jul aug sep oct nov dec"
      .split(" ")
      .map((name, i) => `0 0 1 ${i + 1}-${name} *`),
    ..."sun mon tue wed thu fri sat".split(" ").map((name, i) => `0 0 * * ${i}-${name}`),
    "0 0 * JAN-Mar SUN",
    // Lists, ranges and steps.
    "5-5 * * * *",
    "1-30/5,45,50-59 * * * *",
    "0,,30 * * * *",
    "*/10 */12 */2 */3 */1",
    "*/+5 +3 * * *",
    "*/10,? ? ? ? ?",
    "007 08 09 010 00",
    // Kubernetes reads only the star of these.
    "*-5 * * * *",
    "*-a-b * * * *",
    "?-5 * * * *",
    // White space of any kind and length.
    "\t0   3 *\t* * ",
  ];
  for (const schedule of accepted) {
    it(`accepts ${JSON.stringify(schedule)}`, () =>
      assert.equal(scheduleError(schedule), undefined));
  }

  const refused: [string, RegExp][] = [
    ["CRON_TZ=UTC @daily", /timeZone/],
    ["0 3 * * * TZ", /timeZone/],
    ...["@", "@reboot", "@Daily", "@daily ", "@@daily", "@dailyish", "@noon or @daily"].map(
      (word): [string, RegExp] => [word, /no such descriptor/],
    ),
    ...["1", "h", ".h", "..5h", "1.2.3h", "1d", "1hour", "one1h", "1h ", "x@every 1h", "1h 2m"]
      .concat("--1h", "*1h", "1h+2m", "1xs", "1hs")
      .map((duration): [string, RegExp] => [`@every ${duration}`, /no such descriptor/]),
    ["@@every 1h", /no such descriptor/],
    ["@every", /no such descriptor/],
    ["@every1h", /no such descriptor/],
    [" @daily", /1 fields/],
    ["0 3 * *", /4 fields/],
    ["0 0 3 * * *", /6 fields/],
    ["   ", /0 fields/],
    // One past each end of each field.
    ["60 * * * *", /minute: "60" is not within 0 to 59/],
    ["* 24 * * *", /hour: "24" is not within 0 to 23/],
    ["* * 0 * *", /day of month: "0" is not within 1 to 31/],
    ["* * 32 * *", /day of month: "32" /],
    ["* * * 0 *", /month: "0" is not within 1 to 12/],
    ["* * * 13 *", /month: "13" /],
    ["* * * * 7", /day of week: "7" is not within 0 to 6/],
    // Names belong to their own field.
    ["jan * * * *", /minute: "jan"/],
    ["* * * mon *", /month: "mon"/],
    ["* * * january *", /month: "january"/],
    ["* * * * jan", /day of week: "jan"/],
    // Numbers.
    ["1.5 * * * *", /minute: "1\.5"/],
    ["5m * * * *", /minute: "5m"/],
    ["m5 * * * *", /minute: "m5"/],
    ["++5 * * * *", /minute: "\+\+5"/],
    ["0x5 * * * *", /minute: "0x5"/],
    ["*5 * * * *", /minute: "\*5"/],
    // Lists, ranges and steps.
    [", * * * *", /minute: empty list/],
    ["0 ,, * * *", /hour: empty list/],
    ["0,60 * * * *", /minute: "60"/],
    ["-5 * * * *", /minute: "" is/],
    ["5- * * * *", /minute: "" is/],
    ["a-5 * * * *", /minute: "a" is/],
    ["5-b * * * *", /minute: "b" is/],
    ["5-60 * * * *", /minute: "60" is/],
    ["5-* * * * *", /minute: "\*" is/],
    ["30-10 * * * *", /minute: the range "30-10" goes backwards/],
    ["* * * dec-jan *", /month: the range "dec-jan" goes backwards/],
    ["1-2-3 * * * *", /minute: two ranges in "1-2-3"/],
    ["*/5/5 * * * *", /minute: two steps/],
    ["*/0 * * * *", /minute: "0" is no step/],
    ["*/-1 * * * *", /minute: "-1" is no step/],
    ["*/ * * * *", /minute: "" is no step/],
    ["*/mon * * * *", /minute: "mon" is no step/],
  ];
  for (const [schedule, why] of refused) {
    it(`refuses ${JSON.stringify(schedule)}`, () =>
      assert.match(scheduleError(schedule) ?? "", why));
  }
});
