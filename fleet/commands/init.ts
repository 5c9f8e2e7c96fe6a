/** `fleet init`: a new stack's file, validated; nothing else to do before `up`. */
import * as fs from "node:fs/promises";
import * as path from "node:path";
import { stringify } from "yaml";
import { Failure, reason, UsageError } from "../errors";
import type { Register } from "../fleet";
import { findStacks, parseStackFile, projectName } from "../stacks";

interface Options {
  domain: string;
  email: string;
  cluster?: string;
  context?: string;
  kubeconfig?: string;
}

export const registerInit: Register = (program, run) => {
  const command = program
    .command("init")
    .description("makes a new stack: its file, validated, and its empty state")
    .argument("<stack>", "name of the new stack")
    .requiredOption("--domain <host>", "the site's host name")
    .requiredOption("--email <address>", "the administrator's address")
    .option("--cluster <name>", "name of the DigitalOcean Kubernetes cluster")
    .option("--context <name>", "or a context of a kubeconfig file")
    .option("--kubeconfig <file>", "that file (default: ~/.kube/config)")
    .action((name: string, options: Options) =>
      run(command, async (fleet) => {
        if (!/^[a-z0-9][a-z0-9-]{0,61}$/.test(name)) {
          throw new UsageError(`found "${name}"; allowed: a-z, 0-9 and -, a letter or digit first`);
        }
        const { domain, email, cluster, context, kubeconfig } = options;
        if ((cluster === undefined) === (context === undefined)) {
          throw new UsageError("say --cluster NAME or --context NAME, one of them");
        }
        const project = await projectName(fleet);
        const known = await findStacks(fleet);
        if (known.some((stack) => stack.name === name)) {
          throw new UsageError(`there is a stack ${name} already; nothing was written`);
        }
        // The engine writes the stack's key beside it, and would take one of a folder above for it.
        await projectName({ project: fleet.stacks }, "--stacks");
        const where = cluster ? { doks: cluster } : { context, ...(kubeconfig && { kubeconfig }) };
        const text = stringify({
          config: {
            "pulumi:disable-default-providers": ["kubernetes"],
            [`${project}:cluster`]: where,
            [`${project}:domain`]: domain,
            [`${project}:email`]: email,
          },
        });
        // Every fault at once, before there is a file.
        parseStackFile(text, project);
        const file = path.join(fleet.stacks, `Pulumi.${name}.yaml`);
        // Never over a file that came to be meanwhile.
        await fs.writeFile(file, text, { flag: "wx" });
        await makeState(fleet.stacks, name).catch(async (error: unknown) => {
          await fs.rm(file);
          throw new Failure(`the stack's state cannot be made: ${reason(error)}`);
        });
        const next = `npm run fleet -- up ${name}`;
        return { ok: true, json: { stack: name, file, next }, text: `${file}\nNext: ${next}` };
      }),
    );
};

/** The stack in the backend; its key is added to the file. */
async function makeState(folder: string, name: string): Promise<void> {
  const { LocalWorkspace } = await import("@pulumi/pulumi/automation");
  const workspace = await LocalWorkspace.create({ workDir: folder });
  await workspace.createStack(name);
}
