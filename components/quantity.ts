/** Kubernetes sizes as settings state them: whole binary units, so that two of them always compare. */

const UNITS = { Mi: 1, Gi: 1024, Ti: 1024 * 1024 } as const;
const PATTERN = /^([1-9][0-9]{0,6})(Mi|Gi|Ti)$/;

/** `512Mi`, `1Gi` or `2Ti` in MiB; undefined when the text is no such size. */
export function parseMebibytes(text: string): number | undefined {
  const match = PATTERN.exec(text);
  return match ? Number(match[1]) * UNITS[match[2] as keyof typeof UNITS] : undefined;
}

/** As `parseMebibytes`, for a size that the settings have already accepted. */
export function mebibytes(size: string): number {
  const value = parseMebibytes(size);
  if (value === undefined) throw new Error(`"${size}" is no size such as 512Mi or 10Gi`);
  return value;
}

/** What a pod asks for of its limit: the rest of a node is shared with other applications. */
export function half(size: string): string {
  return `${Math.floor(mebibytes(size) / 2)}Mi`;
}
