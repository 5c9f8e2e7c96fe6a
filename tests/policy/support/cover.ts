/** Few rows in which every few choices of different factors stand together at least once. */

/** Choices of different factors, by their places: factor and choice. */
type Tuple = [number, number][];

/**
 * A covering array: whichever `strength` factors one looks at, each combination of their choices is
 * in some row. Made greedily, and always the same.
 */
export function cover<T>(factors: Record<string, T[]>, strength: number): Record<string, T>[] {
  const keys = Object.keys(factors);
  const all = Object.values(factors).map((choices) => [...choices.keys()]);
  const open = new Map(tuples(all, strength).map((tuple) => [String(tuple), tuple]));
  const rows: number[][] = [];
  for (let [first] = open.values(); first; [first] = open.values()) {
    const row = fill(first, all, strength, open);
    covered(row, strength).forEach((tuple) => open.delete(String(tuple)));
    rows.push(row);
  }
  return rows.map((row) =>
    Object.fromEntries(row.map((choice, factor) => [keys[factor], factors[keys[factor]][choice]])),
  );
}

/** A row with this tuple; each other factor gets the choice that covers most of what is open. */
function fill(tuple: Tuple, all: number[][], strength: number, open: Map<string, Tuple>): number[] {
  const row: (number | undefined)[] = all.map(() => undefined);
  for (const [factor, choice] of tuple) row[factor] = choice;
  const gain = (factor: number, choice: number) =>
    covered(Object.assign([...row], { [factor]: choice }), strength).filter((t) =>
      open.has(String(t)),
    ).length;
  for (const factor of all.keys()) {
    row[factor] ??= all[factor].reduce((best, choice) =>
      gain(factor, choice) > gain(factor, best) ? choice : best,
    );
  }
  return row as number[];
}

/** The tuples of a row, as far as it is filled. */
const covered = (row: (number | undefined)[], strength: number) =>
  tuples(
    row.map((choice) => (choice === undefined ? [] : [choice])),
    strength,
  );

/** Every tuple of choices of so many factors, in their order. */
function tuples(choices: number[][], strength: number, from = 0): Tuple[] {
  if (strength === 0) return [[]];
  return choices.flatMap((of, factor) =>
    factor < from || of.length === 0
      ? []
      : tuples(choices, strength - 1, factor + 1).flatMap((rest) =>
          of.map((choice): Tuple => [[factor, choice], ...rest]),
        ),
  );
}
