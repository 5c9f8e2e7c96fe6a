/** Address ranges in CIDR form: which are private, and whether one is. */
import { rangeOf } from "../policy/core/addresses";

/** Ranges that are no public address: clusters, VPCs and the metadata service. */
export const PRIVATE_RANGES = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"];

const privates = PRIVATE_RANGES.map((range) => rangeOf(range)!);

/** Whether a range holds any private address; an IPv6 one never does: clusters have none. */
export function holdsPrivate(cidr: string): boolean {
  const range = rangeOf(cidr);
  return (
    range !== undefined && privates.some(({ first, end }) => first < range.end && range.first < end)
  );
}
