/**
 * Every image has a tag that stays, or a digest.
 *
 * `latest`, or no tag at all, changes under a running site at the next pod start: an upgrade nobody
 * made, with a schema nobody migrated; so do `lts` and `latest-php8.3`. Which Matomo runs has to be
 * what the image says (incident 20). A digest without a tag is pinned; the colon of
 * `registry:5000/img` is no tag.
 */
import * as z from "zod";
import { View } from "../core/data";
import { FLOATING_TAGS, isMoving, tagOf } from "../core/images";
import { Fault, resourceRule } from "../core/rule";
import { settings } from "../core/settings";
import { eachContainer, workloadOf } from "../core/workloads";

const ownSettings = settings({
  floatingTags: z
    .array(z.string().min(1))
    .default(FLOATING_TAGS)
    .describe("tags that move, and so does what begins with one, such as stable-alpine3.20"),
  requireDigest: z.boolean().default(false).describe("a tag is not enough, a digest must be there"),
});

type Settings = z.infer<typeof ownSettings>;

export default resourceRule({
  name: "image-is-pinned",
  title: "Images are pinned",
  description: "Every image has a tag that stays, or a digest.",
  level: "mandatory",
  severity: "high",
  incidents: [20],
  remediation: "Give the image the version's own tag, or its digest.",
  url: "https://kubernetes.io/docs/concepts/containers/images/#image-names",
  settings: ownSettings,

  check(object, judge, settings) {
    const workload = workloadOf(object);
    if (!workload) {
      return;
    }
    eachContainer(workload, judge, ({ view }) => unpinned(view.at("image"), settings));
    judge(object, () => {
      for (const volume of workload.spec.at("volumes").list()) {
        judge(object, () =>
          volume.at("image").isAbsent()
            ? undefined
            : unpinned(volume.at("image", "reference"), settings),
        );
      }
    });
  },
});

const DIGEST = /^[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[0-9a-f]{32,}$/i;

function unpinned(at: View, { floatingTags, requireDigest }: Settings): Fault | undefined {
  const image = at.text() ?? "";
  if (image.includes("@")) {
    return DIGEST.test(image.split("@", 2)[1])
      ? undefined
      : fault(at, `"${image}" has a digest that is none`);
  }
  if (requireDigest) {
    return fault(at, `"${image}" has no digest`);
  }
  if (image === "") {
    return fault(at, "there is no image");
  }
  if (tagOf(image) === undefined) {
    return fault(at, `"${image}" has neither tag nor digest, which means latest`);
  }
  return isMoving(image, floatingTags) ? fault(at, `the tag of "${image}" moves`) : undefined;
}

function fault(at: View, found: string): Fault {
  return { at, found, fix: "Use the tag of one version, such as :5.5.1-apache, or a digest." };
}
