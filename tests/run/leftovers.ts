/**
 * What a tier's process left behind. Each has a folder of its own for temporary files, which all that it
 * starts has in its environment too: so whatever ended the tier, its clusters, processes and mounts are
 * found by that folder. A container of the scripts' tests has it by another name, for its own programs'
 * temporary files are in the container.
 */
import { existsSync } from "node:fs";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { execa } from "execa";
import { stopCluster } from "../../local/cluster";

/** Ends and removes all that was left in the folder, and the folder; what it was. */
export async function removeLeftovers(folder: string, evidence: string): Promise<string[]> {
  const left: string[] = [];
  for (const name of await fs.readdir(folder)) {
    const site = path.join(folder, name);
    if (!existsSync(path.join(site, "cluster"))) continue;
    await copyLogs(path.join(site, "cluster"), path.join(evidence, "left-behind", name));
    const stopped = await stopCluster(site);
    if (stopped.length > 0) left.push(`a cluster: ${stopped.join(", ")}`);
  }
  for (const pid of await processesOf(folder)) {
    const command = await fs.readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
    if (!end(pid)) continue;
    left.push(`process ${pid}: ${command.replaceAll("\0", " ").slice(0, 200)}`);
  }
  for (const mount of (await mountsBelow(folder)).reverse()) {
    left.push(`mount ${mount}`);
    await execa("umount", ["--lazy", mount], { reject: false });
  }
  for (const one of [folder, ...(await inMemory(folder))]) {
    await fs.rm(one, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
  return left;
}

/** Logs of a cluster's own processes. */
export async function copyLogs(cluster: string, to: string): Promise<void> {
  await fs.mkdir(to, { recursive: true });
  for (const name of await fs.readdir(cluster)) {
    if (name.endsWith(".log")) await fs.copyFile(path.join(cluster, name), path.join(to, name));
  }
}

/** Processes with this folder for temporary files; none where the system does not tell. */
async function processesOf(folder: string): Promise<number[]> {
  const entries = await fs.readdir("/proc").catch(() => []);
  const found: number[] = [];
  for (const pid of entries.filter((name) => /^\d+$/.test(name)).map(Number)) {
    const environment = await fs.readFile(`/proc/${pid}/environ`, "utf8").catch(() => "");
    const words = environment.split("\0");
    if (words.includes(`TMPDIR=${folder}`) || words.includes(`TEST_RUN=${folder}`)) found.push(pid);
  }
  return found;
}

function end(pid: number): boolean {
  try {
    return process.kill(pid, "SIGKILL");
  } catch {
    return false; // It ended by itself in the meantime.
  }
}

/** Folders of containers, which are in memory and are called after the folder. */
async function inMemory(folder: string): Promise<string[]> {
  const memory = "/dev/shm";
  const names = await fs.readdir(memory).catch(() => []);
  const own = names.filter((name) => name.startsWith(`${path.basename(folder)}-`));
  return own.map((name) => path.join(memory, name));
}

async function mountsBelow(folder: string): Promise<string[]> {
  const table = await fs.readFile("/proc/self/mounts", "utf8").catch(() => "");
  const points = table.split("\n").map((line) => line.split(" ")[1] ?? "");
  return points.filter((point) => point.startsWith(`${folder}/`));
}
