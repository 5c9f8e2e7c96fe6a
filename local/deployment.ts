/**
 * What `npm start` deploys to: the embedded cluster, or a context of a person's own kubeconfig. Each
 * has a state of its own, so that one deployment is never taken for the other.
 */
import { existsSync, readFileSync } from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { parse } from "yaml";
import type { Engine, PulumiResult } from "./engine";
import { openEngine } from "./engine";
import { UserError } from "./errors";
import { releaseDeadLocks } from "./locks";
import { checkout, contextStateFolder, defaultStateFolder, localContext } from "./paths";

/** A cluster as a kubeconfig names it. */
export interface NamedCluster {
  /** An absolute path. */
  kubeconfig: string;
  context: string;
}

/** The one that `npm start` makes. */
const embedded: NamedCluster = {
  kubeconfig: path.join(defaultStateFolder, "kubeconfig"),
  context: localContext,
};

export interface Deployment extends NamedCluster {
  /** Runs the CLI on a stack of this deployment, on the terminal of the caller. */
  pulumi(stack: string, args: string[]): Promise<PulumiResult>;
  engine: Engine;
}

/**
 * Opens the deployment to the person's own cluster (`ownCluster`), or to the embedded one when there
 * is none.
 */
export async function openDeployment(option: string | undefined): Promise<Deployment> {
  const own = ownCluster(option);
  const stateFolder = own ? contextStateFolder(own.context) : defaultStateFolder;
  const { kubeconfig, context } = own ?? embedded;
  const engine = await openEngine(stateFolder, { kubeconfig });
  const config = own ? { "matomo:cluster": own } : {};
  return {
    pulumi: async (stack, args) => {
      await releaseDeadLocks(path.join(stateFolder, "backend"));
      return leaveInterruptToChild(() =>
        engine.pulumi(args, {
          stack,
          // Only this stack follows the option; the others are bound to their clusters.
          config: stack === "local" ? config : {},
          process: { stdio: "inherit" },
        }),
      );
    },
    engine,
    kubeconfig,
    context,
  };
}

/**
 * Lets Ctrl-C reach the engine alone, which ends what it is doing in order. Ended with its parent it
 * would leave resources half made.
 */
async function leaveInterruptToChild<T>(work: () => Promise<T>): Promise<T> {
  const ignore = () => undefined;
  process.on("SIGINT", ignore);
  try {
    return await work();
  } finally {
    process.off("SIGINT", ignore);
  }
}

/**
 * The person's own cluster to deploy to: the one of `--context`, or else the one that the stack
 * `local` of this project is bound to. None when that is the embedded cluster.
 */
export function ownCluster(
  option: string | undefined,
  project: string = checkout,
): NamedCluster | undefined {
  if (option !== undefined) {
    return { context: option, kubeconfig: ownKubeconfig(option) };
  }
  const file = path.join(project, "Pulumi.local.yaml");
  const stated = (existsSync(file) ? parse(readFileSync(file, "utf8")) : {})?.config ?? {};
  const cluster = stated["matomo:cluster"] ?? embedded;
  const { context, kubeconfig = "~/.kube/config" } = cluster;
  const setting = `matomo:cluster of ${path.basename(file)}`;
  if (typeof context !== "string") {
    // DigitalOcean's answer may be the stand-in's, and the deployment would go who knows where.
    throw new UserError(
      `${setting}: found ${JSON.stringify(cluster)}; allowed here: {"context": NAME, "kubeconfig": FILE}`,
    );
  }
  const named = path.resolve(project, kubeconfig.replace(/^~(?=\/)/, os.homedir()));
  if (context === embedded.context && named === embedded.kubeconfig) {
    return undefined;
  }
  if (!existsSync(named)) {
    throw new UserError(`${setting}: found no kubeconfig at ${named}`);
  }
  assertHasContext(named, context, setting);
  return { context, kubeconfig: named };
}

/** The file in which kubectl would look for a context, which has to have it. */
export function ownKubeconfig(context: string, env: NodeJS.ProcessEnv = process.env): string {
  const file = env.KUBECONFIG || path.join(os.homedir(), ".kube", "config");
  if (!existsSync(file)) {
    throw new UserError(
      `--context: found no kubeconfig at ${file}; set KUBECONFIG to one file that has the context`,
    );
  }
  assertHasContext(file, context, "--context");
  return path.resolve(file);
}

/** Before anything is built for a name that was mistyped. */
function assertHasContext(file: string, context: string, saidBy: string): void {
  const contexts: { name: string }[] = parse(readFileSync(file, "utf8"))?.contexts ?? [];
  const names = contexts.map(({ name }) => name);
  if (!names.includes(context)) {
    throw new UserError(
      `${saidBy}: found "${context}"; allowed: a context of ${file}: ${names.join(", ") || "it has none"}`,
    );
  }
}
