import { change, container, podSpec, workload } from "../support/objects";
import { UNKNOWN } from "../support/proxy";
import { table } from "../support/table";

const web = workload("Deployment", "web");
const IMAGE = "spec.template.spec.containers[0].image";
const digest = `sha256:${"0123456789abcdef".repeat(4)}`;
const pinned = (image: string) => ({ title: image, given: change(web, IMAGE, image) });
const moving = (image: unknown) => ({
  title: `${image}`,
  given: change(web, IMAGE, image),
  finds: [`violation web: ${IMAGE}`],
});
const slot = (name: string) => podSpec({ [name]: [{ ...container("x"), image: "app" }] });
const volume = (reference: unknown) =>
  workload("Deployment", "web", podSpec({ volumes: [{ name: "d", image: { reference } }] }));

table("image-is-pinned", [
  ...[
    "matomo:5.5.1-apache",
    "registry:5000/shop/app:1",
    `matomo@${digest}`,
    `matomo:latest@${digest}`,
    `registry:5000/img@${digest}`,
    `app@sha512+b64_x:${"0f".repeat(64)}`,
  ].map(pinned),
  ...[
    "matomo",
    "matomo:latest",
    "registry:5000/img",
    "registry:5000/img:latest",
    "quay.io/app:stable",
    "app:",
    "app@sha256:abc",
    `app@!${digest}`,
    `app@${digest}!`,
    `app@sha256+-:${"0f".repeat(32)}`,
    "app@",
    "",
    undefined,
  ].map(moving),
  ...["initContainers", "ephemeralContainers"].map((name) => ({
    title: `in ${name}`,
    given: workload("Deployment", "web", slot(name)),
    finds: [`violation web: spec.template.spec.${name}[0].image`],
  })),
  {
    title: "in a CronJob",
    given: workload("CronJob", "web", slot("initContainers")),
    finds: ["violation web: spec.jobTemplate.spec.template.spec.initContainers[0].image"],
  },
  { title: "an image volume", given: volume("data:1.0") },
  {
    title: "an image volume that moves",
    given: volume("data"),
    finds: ["violation web: spec.template.spec.volumes[0].image.reference"],
  },
  {
    title: "other floating tags",
    given: change(web, IMAGE, "app:5"),
    settings: { floatingTags: ["5"] },
    finds: [`violation web: ${IMAGE}`],
  },
  {
    title: "latest where it is allowed",
    given: change(web, IMAGE, "app:latest"),
    settings: { floatingTags: ["5"] },
  },
  {
    title: "a digest demanded",
    given: web,
    settings: { requireDigest: true },
    finds: [`violation web: ${IMAGE}`],
  },
  {
    title: "a digest demanded and there",
    given: change(web, IMAGE, `app@${digest}`),
    settings: { requireDigest: true },
  },
  {
    title: "image not known yet",
    given: change(web, IMAGE, UNKNOWN),
    finds: [`unknown web: ${IMAGE}`],
  },
  {
    title: "containers not known yet",
    given: change(web, "spec.template.spec.containers", UNKNOWN),
    finds: ["unknown web: spec.template.spec.containers"],
  },
  {
    title: "one container not known yet, another that moves",
    given: change(change(web, "spec.template.spec.containers[1]", UNKNOWN), IMAGE, "app"),
    finds: [`violation web: ${IMAGE}`, "unknown web: spec.template.spec.containers[1]"],
  },
  {
    title: "a patch",
    given: { ...change(web, IMAGE, "app"), type: "kubernetes:apps/v1:DeploymentPatch" },
    finds: [`violation web: ${IMAGE}`, "unknown web: spec.template.spec.initContainers"],
  },
]);
