/**
 * What takes long and proves endurance runs whole in `npm run soak`, which a workflow does at night, and
 * in a short form in `npm test`: less load, and a few of many cases, drawn by a seed that is printed.
 */
import { createHash, randomInt } from "node:crypto";

/** Whether this is the long form. */
export const isSoak = process.env.SOAK === "1";

/** What draws. Default: another one for each run; with SEED=… the same cases are drawn again. */
const seed = (process.env.SEED ||= String(randomInt(1_000_000)));

/** So many of the cases, in their order; all of them in the long form. */
export function drawn<T>(cases: T[], count: number): T[] {
  if (isSoak) return cases;
  const places = cases.map((_, place) => place);
  const weight = (place: number) => createHash("sha256").update(`${seed} ${place}`).digest("hex");
  const first = places.sort((a, b) => weight(a).localeCompare(weight(b))).slice(0, count);
  return first.sort((a, b) => a - b).map((place) => cases[place]);
}

/** For the title of what was drawn: how to draw it again. */
export const drawnBy = isSoak ? "all" : `SEED=${seed}`;
