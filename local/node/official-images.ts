/**
 * The official images, where a registry can be reached. The machine's Docker fetches them, with the
 * proxies and logins that it knows; there is no other use of it here.
 */
import { existsSync } from "node:fs";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { execa, ExecaError } from "execa";
import type { Report } from "../toolchain";

/** An image that the machine's Docker has. */
export interface OfficialImage {
  name: string;
  /** Docker's digest of what is in it. */
  id: string;
}

/** Either the images, or why the stand-ins are used in their place, for a person. */
export type Choice = { images: OfficialImage[] } | { refusal: string };

/**
 * The images of a cluster: what it was made with, or else the official ones if they can be had. A
 * site that one kind of image installed is no site of the other kind.
 */
export async function chooseImages(
  clusterFolder: string,
  names: string[],
  report: Report,
): Promise<Choice> {
  const made = await importedImages(clusterFolder);
  const kept = names.map((name) => ({ name, id: made[name] }));
  if (kept.every(({ id }) => id?.startsWith("sha256:"))) {
    return { images: kept };
  }
  if (kept.some(({ id }) => id !== undefined)) {
    return { refusal: "as this cluster was made (npm run clean)" };
  }
  if (process.env.MATOMO_DIST !== undefined) {
    return { refusal: "MATOMO_DIST names a Matomo" };
  }
  try {
    const images: OfficialImage[] = [];
    for (const name of names) {
      report(name);
      images.push({ name, id: (await idOf(name)) ?? (await fetchImage(name)) });
    }
    return { images };
  } catch (error) {
    return { refusal: refusalOf(error) };
  }
}

/** What a node has imported: the key of its content by image name. */
export async function importedImages(clusterFolder: string): Promise<Record<string, string>> {
  const file = importedFile(clusterFolder);
  return existsSync(file) ? JSON.parse(await fs.readFile(file, "utf8")) : {};
}

export function importedFile(clusterFolder: string): string {
  return path.join(clusterFolder, "node", "images.json");
}

/** Hands an image to `receive` as a stream in the docker-archive form. */
export async function saveImage(
  { name }: OfficialImage,
  receive: (archive: NodeJS.ReadableStream) => Promise<unknown>,
): Promise<void> {
  const save = execa("docker", ["image", "save", name], { buffer: false });
  await Promise.all([receive(save.stdout), save]);
}

async function fetchImage(name: string): Promise<string> {
  await execa("docker", ["image", "pull", "--quiet", name]);
  const id = await idOf(name);
  if (id === undefined) throw new Error(`docker has no ${name} after it fetched it`);
  return id;
}

async function idOf(name: string): Promise<string | undefined> {
  const args = ["image", "inspect", "--format={{.Id}}", name];
  const { exitCode, stdout } = await execa("docker", args, { reject: false });
  return exitCode === 0 ? stdout.trim() : undefined;
}

function refusalOf(error: unknown): string {
  if (!(error instanceof ExecaError)) throw error;
  if (error.code === "ENOENT")
    return "this machine has no Docker that could fetch the official ones";
  const [line] = String(error.stderr).trim().split("\n").slice(-1);
  return `Docker could not fetch the official ones (${line})`;
}
