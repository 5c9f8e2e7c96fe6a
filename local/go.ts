/**
 * The Go installation that builds the embedded engine and cluster: whether it will do, and the
 * environment in which a build gives the same result on every machine.
 */
import { execa, ExecaError } from "execa";
import { UserError } from "./errors";

const oldest = { major: 1, minor: 26 };

/** Refuses a machine without Go or with one that is too old. */
export async function requireGo(env: NodeJS.ProcessEnv = goEnvironment()): Promise<void> {
  const wanted = `${oldest.major}.${oldest.minor}`;
  const choices =
    `install Go ${wanted} or newer (https://go.dev/dl), ` +
    "or Pulumi and a cluster of your own: npm start -- --context NAME";
  let version: string;
  try {
    version = (await execa("go", ["env", "GOVERSION"], { env, extendEnv: false })).stdout;
  } catch (error) {
    if (error instanceof ExecaError && error.code === "ENOENT") {
      throw new UserError(`No Go on PATH, which builds the engine and the cluster: ${choices}`);
    }
    throw error;
  }
  const [, major, minor] = /^go(\d+)\.(\d+)/.exec(version) ?? [];
  if (Number(major) !== oldest.major || Number(minor) < oldest.minor) {
    throw new UserError(`Go ${wanted} or newer is needed, found ${version}: ${choices}`);
  }
}

/** The caller's environment without what would change the result of a build. */
export function goEnvironment(env: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  return {
    ...env,
    GOOS: undefined,
    GOARCH: undefined,
    CGO_ENABLED: "0",
    GOFLAGS: "-buildvcs=false -trimpath -mod=readonly",
    GOWORK: "off",
  };
}
