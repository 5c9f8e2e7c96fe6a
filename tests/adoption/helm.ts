/** Real Helm 4 on the old chart, whose releases are adopted. */
import * as path from "node:path";
import { execa } from "execa";
import { ensureHelm } from "../tools";

/** The chart whose release is adopted. */
const chart = path.join(__dirname, "chart");

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
