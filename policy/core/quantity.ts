/**
 * Kubernetes quantities ("500m", "1Gi", "1e3"), exact: compared as integers in billionths, never as
 * floating point, so that 1Gi equals 1024Mi and 0.1 + 0.2 plays no part.
 */

const NANO = 10n ** 9n;

/** Decimal and binary suffixes, as factors of one billionth. */
const SUFFIXES: Record<string, bigint> = {
  n: 1n,
  u: 10n ** 3n,
  m: 10n ** 6n,
  "": NANO,
  k: NANO * 10n ** 3n,
  M: NANO * 10n ** 6n,
  G: NANO * 10n ** 9n,
  T: NANO * 10n ** 12n,
  P: NANO * 10n ** 15n,
  E: NANO * 10n ** 18n,
  Ki: NANO * 2n ** 10n,
  Mi: NANO * 2n ** 20n,
  Gi: NANO * 2n ** 30n,
  Ti: NANO * 2n ** 40n,
  Pi: NANO * 2n ** 50n,
  Ei: NANO * 2n ** 60n,
};

/** The quantity in billionths (rounded up, as Kubernetes does), or undefined when it is not one. */
export function parseQuantity(text: string | undefined): bigint | undefined {
  const match = /^([+-]?)(\d+)?(?:\.(\d*))?(?:[eE]([+-]?\d{1,3})|([numkMGTPE]|[KMGTPE]i))?$/.exec(
    text ?? "",
  );
  if (!match) {
    return undefined;
  }
  const [, sign, whole = "", fraction = "", exponent, suffix = ""] = match;
  if (whole + fraction === "") {
    return undefined;
  }
  const power = BigInt(exponent ?? 0) - BigInt(fraction.length);
  const scaled = BigInt(whole + fraction) * SUFFIXES[suffix] * 10n ** (power > 0n ? power : 0n);
  const divisor = 10n ** (power < 0n ? -power : 0n);
  const magnitude = (scaled + divisor - 1n) / divisor;
  return sign === "-" ? -magnitude : magnitude;
}

/** Whole bytes of a memory quantity. */
export function parseBytes(text: string | undefined): bigint | undefined {
  const nano = parseQuantity(text);
  return nano === undefined ? undefined : nano / NANO;
}

/**
 * An IntOrString of a rollout or a budget against a scale, rounded up as both controllers that
 * matter here do (maxSurge, minAvailable and maxUnavailable of a budget).
 */
export function scaled(value: string, scale: number): number | undefined {
  if (/^\d+%$/.test(value)) {
    return Math.ceil((Number(value.slice(0, -1)) * scale) / 100);
  }
  return /^\d+$/.test(value) ? Number(value) : undefined;
}
