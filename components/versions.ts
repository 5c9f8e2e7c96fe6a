/** Versions of the programs that own data: they only ever go up (peers.md: no step ever downgrades). */

/** Negative when `a` is older than `b`, zero when equal; both are `x.y.z`. */
export function compareVersions(a: string, b: string): number {
  const left = a.split(".").map(Number);
  const right = b.split(".").map(Number);
  for (let i = 0; i < 3; i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** The `x.y.z` at the front of an image's tag; undefined for a digest or a floating tag. */
export function imageVersion(image: string): string | undefined {
  return /:(\d+\.\d+\.\d+)(?:[-+][\w.-]*)?(?:@sha256:[0-9a-f]+)?$/.exec(image)?.[1];
}
