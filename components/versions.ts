/** Versions of the programs that own data: they only ever go up (peers.md: no step ever downgrades). */

/** The first Matomo that renames the classes by which the pods' scripts install it (layout.sh). */
export const UNTRIED_MATOMO = "6.0.0";

/** Brings backups off-site; its repositories are read by every later one. */
export const RESTIC_IMAGE = "restic/restic:0.18.1";

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

/** On the template of a pod whose image's tag does not tell its version: the stated one. */
export const VERSION_ANNOTATION = "matomo-fleet/version";

/** Annotations of a pod template, so that a live pod tells its version even where its image does not. */
export function versionAnnotation(image: string, version: string): Record<string, string> {
  return imageVersion(image) === undefined ? { [VERSION_ANNOTATION]: version } : {};
}

/** A pod, or the template of one. */
interface PodLike {
  metadata?: { annotations?: Record<string, string> };
  spec?: { containers: { image?: string }[] };
}

/** Version of what a pod runs, as its image's tag or its annotation tells it. */
export function podVersion({ metadata, spec }: PodLike): string | undefined {
  return (
    imageVersion(spec?.containers[0].image ?? "") ?? metadata?.annotations?.[VERSION_ANNOTATION]
  );
}
