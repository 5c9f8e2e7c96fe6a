/**
 * What the program would register for a stack, resource by resource, worked out without an engine:
 * Pulumi's mocks answer with the live passwords and the live identity. A real preview cannot be
 * asked, because it would end at the first conflict with Helm's field manager.
 */
import * as pulumi from "@pulumi/pulumi";
import { clusterProvider, findCluster } from "../../components/cluster";
import { conflictsWithLive, type Live } from "../../components/live";
import { oneFieldManager } from "../../components/ownership";
import { MatomoSite } from "../../components/site";
import type { Settings } from "../../components/settings";
import type { Data } from "../engine";

/** One resource as the program registers it. */
export interface Wanted {
  urn: string;
  type: string;
  name: string;
  /** URN of the component that it belongs to. */
  parent?: string;
  /** Whether a provider makes it; otherwise it is a component. */
  custom: boolean;
  inputs: Data;
  options: Pick<pulumi.CustomResourceOptions, "protect" | "retainOnDelete" | "ignoreChanges">;
}

export interface ProgramArgs {
  stack: string;
  project: string;
  settings: Settings;
  /** What DigitalOcean says of the cluster; undefined for a context of a kubeconfig file. */
  doks?: { id: string; region: string; rawConfig: string };
  /** Value of each RandomPassword by its name; a missing one gets a placeholder. */
  passwords: Record<string, string | undefined>;
  /** The identity that the namespace carries, or will. */
  identity: string;
  /** The live namespace, which may contradict the settings. */
  live: Live;
}

const STACK = "pulumi:pulumi:Stack";

/** Every resource of the program, in the order of its registration, and what the cluster forbids. */
export async function evaluate(
  args: ProgramArgs,
): Promise<{ resources: Wanted[]; conflicts: string[] }> {
  const { project, stack } = args;
  const resources: Wanted[] = [];
  let conflicts: string[] = [];
  await pulumi.runtime.setMocks(
    {
      newResource: ({ type, name, inputs }) => ({
        id: `${name}-id`,
        state: { ...inputs, ...made(type, name, args) },
      }),
      call: ({ inputs }) => {
        if (!args.doks) throw new Error("the program asked for a DigitalOcean cluster");
        const { id, region, rawConfig } = args.doks;
        return { ...inputs, id, region, kubeConfigs: [{ rawConfig }] };
      },
    },
    project,
    stack,
    false,
  );
  observe(`urn:pulumi:${stack}::${project}::`, (resource) => resources.push(resource));
  try {
    await pulumi.runtime.runInPulumiStack(async () => {
      conflicts = conflictsWithLive(args.settings, args.live);
      const { kubeconfig, region } = await findCluster(args.settings.cluster);
      const kubernetes = clusterProvider(kubeconfig, args.live.cluster);
      new MatomoSite(
        "matomo",
        { settings: args.settings, region, liveIdentity: args.identity },
        { providers: { kubernetes }, transformations: [oneFieldManager] },
      );
      return {};
    });
  } finally {
    await pulumi.runtime.disconnect();
  }
  return { resources, conflicts };
}

/** The part of a registration that is of interest here. */
interface Registration {
  getType(): string;
  getName(): string;
  getParent(): string;
  getCustom(): boolean;
  getProtect(): boolean;
  getRetainondelete(): boolean;
  getIgnorechangesList(): string[];
  getObject(): { toJavaScript(): Data };
}
interface Registered {
  setUrn(urn: string): void;
}
type Answer<T> = (error: unknown, response?: T) => void;
interface Monitor {
  registerResource(request: Registration, answer: Answer<Registered>): Promise<void>;
  registerResourceOutputs(request: unknown, answer: Answer<object>): void;
}

/**
 * Sees each registration as the engine would, and answers with the engine's URN: the mocks' own
 * leaves out all parents but one.
 */
function observe(prefix: string, note: (resource: Wanted) => void): void {
  const monitor = pulumi.runtime.getMonitor() as unknown as Monitor;
  const register = monitor.registerResource.bind(monitor);
  monitor.registerResource = (request, answer) => {
    const [type, name] = [request.getType(), request.getName()];
    const parent = request.getParent() || undefined;
    const above = parent?.split("::")[2];
    // The stack's own type is in no URN but its own.
    const qualified = above && above !== STACK ? `${above}$${type}` : type;
    const urn = `${prefix}${qualified}::${name}`;
    note({
      ...{ urn, type, name, parent, custom: request.getCustom() },
      inputs: plain(request.getObject()?.toJavaScript() ?? {}) as Data,
      options: {
        protect: request.getProtect(),
        retainOnDelete: request.getRetainondelete(),
        ignoreChanges: request.getIgnorechangesList(),
      },
    });
    return register(request, (error, response) => {
      response?.setUrn(urn);
      answer(error, response);
    });
  };
  monitor.registerResourceOutputs = (_request, answer) => answer(null, {});
}

/** What a provider would have made. */
function made(type: string, name: string, { passwords, identity }: ProgramArgs): Data {
  if (type.endsWith(":RandomPassword")) return { result: passwords[name] ?? PLACEHOLDER };
  if (type.endsWith(":RandomId")) return { hex: identity };
  return {};
}

/** Stands for a value that the next `up` makes; it is never written anywhere. */
export const PLACEHOLDER = "(made by the next up)";

/** Secrets as the plain values in them. */
function plain(value: unknown): unknown {
  if (pulumi.runtime.isRpcSecret(value)) return plain(pulumi.runtime.unwrapRpcSecret(value));
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== "object") return value;
  const entries = Object.entries(value).filter(([, inner]) => inner !== undefined);
  return Object.fromEntries(entries.map(([key, inner]) => [key, plain(inner)]));
}
