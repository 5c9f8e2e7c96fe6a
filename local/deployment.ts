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
import { contextStateFolder, defaultStateFolder, localContext } from "./paths";

export interface Deployment {
  /** Runs the CLI on a stack of this deployment, on the terminal of the caller. */
  pulumi(stack: string, args: string[]): Promise<PulumiResult>;
  engine: Engine;
  /** The cluster's kubeconfig and context. */
  kubeconfig: string;
  context: string;
}

/** Opens the deployment to `context`, or to the embedded cluster when there is none. */
export async function openDeployment(context: string | undefined): Promise<Deployment> {
  const embedded = context === undefined;
  const stateFolder = embedded ? defaultStateFolder : contextStateFolder(context);
  const kubeconfig = embedded ? path.join(stateFolder, "kubeconfig") : ownKubeconfig(context);
  const engine = await openEngine(stateFolder, { kubeconfig });
  const config = embedded ? {} : { "matomo:cluster": { context, kubeconfig } };
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
    context: context ?? localContext,
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

/** The file in which kubectl would look for a context, which has to have it. */
export function ownKubeconfig(context: string, env: NodeJS.ProcessEnv = process.env): string {
  const file = env.KUBECONFIG || path.join(os.homedir(), ".kube", "config");
  if (!existsSync(file)) {
    throw new UserError(
      `--context: found no kubeconfig at ${file}; set KUBECONFIG to one file that has the context`,
    );
  }
  const contexts: { name: string }[] = parse(readFileSync(file, "utf8"))?.contexts ?? [];
  const names = contexts.map(({ name }) => name);
  if (!names.includes(context)) {
    throw new UserError(
      `--context: found "${context}"; allowed: a context of ${file}: ${names.join(", ") || "it has none"}`,
    );
  }
  return path.resolve(file);
}
