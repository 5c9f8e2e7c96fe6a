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
    "node:22-alpine",
    "app:deadbee",
    `matomo@${digest}`,
    `matomo:latest@${digest}`,
    `registry:5000/img@${digest}`,
    "mariadb:12.0.2-noble",
    "debian:stable-20240101-slim",
    "app:nightly-2024-01-02",
    "app:main-1.2.3",
    "app:edge-v2",
    ...[
      "app:main-build42",
      "app:dev-run123",
      "app:staging-pr42",
      "app:release-rc1",
      "app:main-r42",
    ],
    ...["app:edge-commit.abc1234", `app:main-${"ab12".repeat(16)}`],
    "app:main-3f2a1bc",
    "app:main-sha3f2a1bc-arm64",
    "app:dev-42",
    "alpine:3.20",
    "debian:bookworm-slim",
    "mirror.example.com/library/ubuntu:noble",
    "app:mainframe",
    "app:1.2-stable",
    `app@sha512+b64_x:${"0f".repeat(64)}`,
  ].map(pinned),
  ...[
    "matomo",
    "matomo:latest",
    "registry:5000/img",
    "registry:5000/img:latest",
    "quay.io/app:stable",
    "app:",
    "nginx:alpine",
    "node:lts-slim",
    "nginx:stable-alpine",
    "app:latest-arm64",
    "app:latest-x86_64",
    "app:latest-arm64v8",
    "wordpress:latest-php8.3",
    "node:lts-bookworm",
    "node:current-bookworm-slim",
    "nginx:stable-bookworm",
    "nginx:mainline-alpine3.20-slim",
    "nginx:alpine3.20",
    "redis:bookworm",
    "mirror.example.com/debian/redis:bookworm-slim",
    "debian:stable-slim",
    "vaultwarden/server:testing",
    "app:Latest",
    "app:LATEST-slim",
    "app:main-deface",
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
    title: "another tag of several words",
    given: change(web, IMAGE, "app:php8-live"),
    settings: { floatingTags: ["PHP8-live"] },
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
