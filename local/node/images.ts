/**
 * Images of a node's pods: the official ones where a registry can be reached, or stand-ins. These of the official images
 * are made of Debian's packages once, with the users, paths, ports and entrypoints of the official
 * ones (local/images); the Matomo inside is the folder that MATOMO_DIST names, or else the
 * look-alike of the tests.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import * as fs from "node:fs/promises";
import * as os from "node:os";
import * as path from "node:path";
import { pipeline } from "node:stream/promises";
import { execa } from "execa";
import type { Artefact } from "../artefacts";
import { checkout } from "../paths";
import { ensureArtefact, type ToolchainOptions } from "../toolchain";
import { coredns as corednsName, nodeImage } from "./config";
import { bootstrap } from "./debian";
import { type OfficialImage, saveImage } from "./official-images";

/** Files of the machine that an image has, and where. */
interface Content {
  from: string;
  to: string;
}

export type Image = StandIn | OfficialImage;

export interface StandIn {
  name: string;
  /** The layer below its own files. */
  base?: string;
  contents: Content[];
  /** What a container has of it unless the pod says otherwise. */
  settings: {
    Env?: string[];
    Entrypoint?: string[];
    Cmd?: string[];
    WorkingDir?: string;
    StopSignal?: string;
  };
}

/** The images that the program deploys by default. */
export const matomoImage = "matomo:5.5.1-apache";
export const mariadbImage = "mariadb:12.0.2";

/** Recipes of what is made of Debian's packages. */
export const imageSources = path.join(checkout, "local", "images");
const searchPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** What is made of Debian's packages: the node's own root file system, and two images' layers. */
export const systems: Record<"node" | "matomo" | "mariadb", Artefact> = {
  node: system("node", "root file system of a node", "root"),
  matomo: system("matomo", "stand-in of the image matomo", "layer.tar"),
  mariadb: system("mariadb", "stand-in of the image mariadb", "layer.tar"),
};

function system(name: string, title: string, output: string): Artefact {
  return {
    name,
    title,
    files: async (_, source, folder) => bootstrap(source, path.join(folder, output)),
  };
}

/** The root file system of a node. */
export async function nodeRoot(options: ToolchainOptions): Promise<string> {
  return path.join(
    await ensureArtefact(systems.node, { ...options, sources: imageSources }),
    "root",
  );
}

/** Every image of the node tier, from the node's own program and CoreDNS. */
export async function allImages(
  programs: { node: string; coredns: string },
  options: ToolchainOptions & { officialImages?: OfficialImage[] },
): Promise<Image[]> {
  const site = options.officialImages ?? [
    await siteImage(matomoImage, matomoFolder(), options),
    await databaseImage(mariadbImage, options),
  ];
  return [
    {
      name: nodeImage,
      contents: [{ from: programs.node, to: "node" }],
      settings: { Entrypoint: ["/node"], Cmd: ["pause"] },
    },
    {
      name: corednsName,
      contents: [{ from: programs.coredns, to: "coredns" }],
      settings: { Entrypoint: ["/coredns"] },
    },
    ...site,
  ];
}

/** The Matomo that the images get. */
export function matomoFolder(): string {
  return process.env.MATOMO_DIST ?? path.join(checkout, "tests", "lookalike", "matomo");
}

/** A stand-in of the official Matomo image with another Matomo in it. */
export async function siteImage(
  name: string,
  matomo: string,
  options: ToolchainOptions = {},
): Promise<StandIn> {
  const folder = await ensureArtefact(systems.matomo, { ...options, sources: imageSources });
  return {
    name,
    base: path.join(folder, "layer.tar"),
    contents: [
      { from: matomo, to: "usr/src/matomo" },
      { from: path.join(imageSources, "matomo", "entrypoint.sh"), to: "entrypoint.sh" },
    ],
    settings: {
      Env: [searchPath],
      Entrypoint: ["/entrypoint.sh"],
      Cmd: ["apache2ctl", "-DFOREGROUND"],
      WorkingDir: "/var/www/html",
      // As the official one's.
      StopSignal: "SIGWINCH",
    },
  };
}

/** A stand-in of the official MariaDB image. */
export async function databaseImage(
  name: string,
  options: ToolchainOptions = {},
): Promise<StandIn> {
  const folder = await ensureArtefact(systems.mariadb, { ...options, sources: imageSources });
  const entrypoint = path.join(imageSources, "mariadb", "entrypoint.sh");
  return {
    name,
    base: path.join(folder, "layer.tar"),
    contents: [{ from: entrypoint, to: "usr/local/bin/docker-entrypoint.sh" }],
    settings: {
      Env: [searchPath, "LANG=C.UTF-8"],
      Entrypoint: ["docker-entrypoint.sh"],
      Cmd: ["mariadbd"],
    },
  };
}

/** A hash over all that decides what an image is. */
export async function imageKey(image: Image): Promise<string> {
  if ("id" in image) return image.id;
  const hash = createHash("sha256").update(JSON.stringify(image));
  for (const { from } of image.contents) {
    const { stdout } = await execa("find", [from, "-printf", "%P %s %T@ %m\n"]);
    hash.update(stdout.split("\n").sort().join("\n"));
  }
  return hash.digest("hex");
}

/** Hands an image to `receive` as a stream in the docker-archive form. */
export async function packImage(
  image: Image,
  receive: (archive: NodeJS.ReadableStream) => Promise<unknown>,
): Promise<void> {
  if ("id" in image) return saveImage(image, receive);
  const work = await fs.mkdtemp(path.join(os.tmpdir(), "matomo-image-"));
  try {
    const layers = ["files.tar"];
    await packContents(image.contents, path.join(work, "files.tar"));
    if (image.base !== undefined) {
      layers.unshift("base.tar");
      await fs.symlink(image.base, path.join(work, "base.tar"));
    }
    const digests: string[] = [];
    for (const layer of layers) {
      digests.push(`sha256:${await digest(path.join(work, layer))}`);
    }
    const configuration = {
      architecture: { x64: "amd64" }[process.arch as string] ?? process.arch,
      os: "linux",
      config: image.settings,
      rootfs: { type: "layers", diff_ids: digests },
    };
    const manifest = [{ Config: "config.json", RepoTags: [image.name], Layers: layers }];
    await fs.writeFile(path.join(work, "config.json"), JSON.stringify(configuration));
    await fs.writeFile(path.join(work, "manifest.json"), JSON.stringify(manifest));
    const names = ["manifest.json", "config.json", ...layers];
    const tar = execa("tar", ["-C", work, "--dereference", "-cf", "-", ...names], {
      buffer: false,
    });
    await Promise.all([receive(tar.stdout), tar]);
  } finally {
    await fs.rm(work, { recursive: true });
  }
}

async function packContents(contents: Content[], archive: string): Promise<void> {
  const tar = ["tar", "--owner=0", "--group=0", "--numeric-owner", "--sort=name", "-f", archive];
  for (const [index, { from, to }] of contents.entries()) {
    const isFolder = (await fs.stat(from)).isDirectory();
    const [folder, name] = isFolder ? [from, "."] : [path.dirname(from), path.basename(from)];
    // Not the targets of symbolic links, which lead within the folder.
    const rename = `--transform=flags=rH;s,^${name.replaceAll(".", "\\.")},${to},`;
    const [command, ...args] = tar;
    await execa(command, [...args, index === 0 ? "-c" : "-r", "-C", folder, rename, name]);
  }
}

async function digest(file: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(file), hash);
  return hash.digest("hex");
}
