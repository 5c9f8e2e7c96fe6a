/**
 * Sizes of claims in whole GiB, in which DigitalOcean sells volumes; rounded up as the driver does.
 */
import { quantityToScalar } from "@kubernetes/client-node/dist/util.js";

const GIB = 1024n ** 3n;

export function gigabytes(quantity: string): number {
  const bytes = BigInt(quantityToScalar(quantity));
  return Number((bytes + GIB - 1n) / GIB);
}
