/** The stack in the engine, as a command needs it that writes its state. */
import { execa } from "execa";
import { Refusal } from "../components/failure";
import { preview, up } from "./deploy";
import { Failure } from "./errors";
import type { Fleet } from "./fleet";
import type { OperationReport } from "./operation";
import type { Progress } from "./run";
import type { Stack } from "./stacks";

/** Plain data, as it stands in JSON. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type Data = Record<string, any>;

/** A stack's deployment, as `pulumi stack export` prints it. */
export interface Deployment {
  version: number;
  deployment: { resources?: Data[] } & Data;
}

export interface Engine {
  /** The state as it is kept: its secrets stay encrypted. */
  exportState(): Promise<Deployment>;
  /** Writes the state in one piece; values in it are encrypted on the way. */
  importState(state: Deployment): Promise<void>;
  preview(): Promise<OperationReport>;
  /** `refresh`: what is gone from the cluster is made anew. Default: the state is believed. */
  up(options?: { refresh?: boolean }): Promise<OperationReport>;
}

export function stackEngine(
  fleet: Fleet,
  stack: Stack,
  policyPack: string,
  progress: Progress,
): Engine {
  // Not by the Automation API: its export shows every secret, and its import goes through a file that
  // everybody on the machine may read.
  const pulumi = (what: "export" | "import", input?: string) =>
    execa("pulumi", ["stack", what, "--stack", stack.name], {
      ...{ cwd: fleet.project, input, reject: false },
    });
  return {
    exportState: async () => {
      const result = await pulumi("export");
      if (result.exitCode === 0) return JSON.parse(result.stdout) as Deployment;
      if (!/no stack named/.test(result.stderr)) {
        throw new Failure(`the state could not be read: ${whyOf(result)}`);
      }
      throw new Refusal(
        `stack ${stack.name} is not in the state's backend yet. Make it first: ` +
          `pulumi stack init ${stack.name}`,
      );
    },
    importState: async (state) => {
      const result = await pulumi("import", JSON.stringify(state));
      if (result.exitCode !== 0) {
        throw new Failure(`the state could not be written: ${whyOf(result)}`);
      }
    },
    preview: () => preview(fleet, stack, policyPack, progress),
    up: (options) => up(fleet, stack, policyPack, progress, options),
  };
}

/** What the engine said, or why it could not say anything. */
function whyOf({ stderr, shortMessage }: { stderr: string; shortMessage?: string }): string {
  return stderr || (shortMessage ?? "it did not say why");
}
