/**
 * Three-valued logic for judgements: a part that is not known yet matters only where the known
 * parts leave the outcome open. "True or unknown" is true, "false and unknown" is false.
 */
import { NotKnown } from "./data";

/** Whether one of the conditions holds; NotKnown only when none holds and one is unknown. */
export function anyOf(conditions: Iterable<() => boolean>): boolean {
  return settle(conditions, true);
}

/** Whether every condition holds; NotKnown only when none fails and one is unknown. */
export function everyOf(conditions: Iterable<() => boolean>): boolean {
  return settle(conditions, false);
}

function settle(conditions: Iterable<() => boolean>, decisive: boolean): boolean {
  let open: NotKnown | undefined;
  for (const condition of conditions) {
    const outcome = attempt(condition);
    if (outcome === decisive) {
      return decisive;
    }
    if (outcome instanceof NotKnown) {
      open ??= outcome;
    }
  }
  if (open) {
    throw open;
  }
  return !decisive;
}

/** The value, or the NotKnown that ended it: for callers that go on with what is known. */
export function attempt<T>(read: () => T): T | NotKnown {
  try {
    return read();
  } catch (error) {
    if (error instanceof NotKnown) {
      return error;
    }
    throw error;
  }
}

/** The value, or the fallback where it is not known: for what only makes a message nicer. */
export function orElse<T>(read: () => T, fallback: T): T {
  const value = attempt(read);
  return value instanceof NotKnown ? fallback : value;
}
