/** Whether the tag of an image stays: a name of no version moves to the next one. */

/** Names of distributions' releases: an image that is built on one says nothing of its own version. */
const CODENAMES = [
  ...["buster", "bullseye", "bookworm", "trixie", "sid"],
  ...["bionic", "focal", "jammy", "noble"],
];

/** Tags that move, and with which a tag that moves begins. */
export const FLOATING_TAGS = [
  ...["latest", "stable", "testing", "unstable", "edge", "nightly", "canary", "next"],
  ...["main", "master", "dev", "devel", "develop", "release", "production", "staging"],
  ...["lts", "mainline", "current", "rolling", "alpine", "slim", "apache", "fpm"],
  ...CODENAMES,
];

/** What follows and is of one build: a version, a date, a number, a commit. */
const BUILD =
  /-(?:v?\d|(?:build|run|rc|pr|ci|r|b|commit)[.-]?\w*\d|(?:g|sha)?[0-9a-f]{7,64}(?:-|$))/;

/** Here the codename is the version. */
const DISTRIBUTION = /(?:^|\/)(?:debian|ubuntu|buildpack-deps):[^/]+$/;

/** An image's tag, where it has one: the colon of `registry:5000/img` is none of a tag. */
export function tagOf(image: string): string | undefined {
  return /:([^/:]+)$/.exec(image)?.[1];
}

/** Whether an image has a tag that moves, and no digest. */
export function isMoving(image: string, floatingTags = FLOATING_TAGS): boolean {
  const tag = image.includes("@") ? "" : (tagOf(image)?.toLowerCase() ?? "");
  const isNamed = (word: string) => floatingTags.some((name) => name.toLowerCase() === word);
  // Of nginx:alpine3.20 too, the version that counts is not told.
  const [first] = tag.replace(/^alpine\d+\.\d+(?=-|$)/, "alpine").split("-");
  const isRelease = CODENAMES.includes(first) && DISTRIBUTION.test(image);
  return (isNamed(tag) || (isNamed(first) && !BUILD.test(tag))) && !isRelease;
}
