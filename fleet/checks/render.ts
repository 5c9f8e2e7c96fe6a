/**
 * Renders the program's resources with Pulumi's mocks: what the offline check, the unit tests and
 * the snapshots look at, without an engine, a credential or a cluster.
 */
import * as pulumi from "@pulumi/pulumi";
import { oneFieldManager } from "../../components/ownership";
import type { Settings } from "../../components/settings";
import { MatomoSite, type SiteOutputs } from "../../components/site";

/** One resource as the program registers it. Random values are placeholders. */
export interface Rendered {
  urn: string;
  type: string;
  name: string;
  props: Record<string, any>; // eslint-disable-line @typescript-eslint/no-explicit-any
  opts: Kept;
}

/** How a resource is kept: what the policy pack calls protected or retained. */
export type Kept = Pick<
  pulumi.CustomResourceOptions,
  "protect" | "retainOnDelete" | "ignoreChanges"
>;

/** A site rendered from a stack's settings. */
export interface RenderedSite {
  resources: Rendered[];
  outputs: SiteOutputs;
}

const PROJECT = "matomo";
/** Volumes need one, and only DigitalOcean knows the cluster's. */
const SOME_REGION = "nyc3";

/** Secrets as plain values, as the policy pack gets them too. */
function plain(value: unknown): unknown {
  if (pulumi.runtime.isRpcSecret(value)) return plain(pulumi.runtime.unwrapRpcSecret(value));
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
}

/** What a provider would answer: its inputs, and a placeholder for what it makes at random. */
function outputsOf(type: string, name: string, inputs: Record<string, unknown>) {
  if (type === "random:index/randomPassword:RandomPassword") {
    return { ...inputs, result: `<${name}>` };
  }
  if (type === "digitalocean:index/spacesKey:SpacesKey") {
    return { ...inputs, accessKey: `<${name} key>`, secretKey: `<${name} secret>` };
  }
  if (type === "random:index/randomId:RandomId") return { ...inputs, hex: `<${name}>` };
  return inputs;
}

export interface RenderOptions {
  /** Name of the stack. */
  stack: string;
  /** As index.ts does, or, for a reader of the objects, without the annotation on each of them. */
  withFieldManager: boolean;
}

/** Renders the site of these settings. One at a time: Pulumi's mocks belong to the process. */
export async function renderSettings(
  settings: Settings,
  { stack, withFieldManager }: RenderOptions,
): Promise<RenderedSite> {
  const resources: Rendered[] = [];
  const options = new Map<string, Kept>();
  await pulumi.runtime.setMocks(
    {
      newResource: ({ type, name, inputs }) => {
        const state = outputsOf(type, name, inputs);
        resources.push({
          urn: `urn:pulumi:${stack}::${PROJECT}::${type}::${name}`,
          type,
          name,
          props: plain(state) as Rendered["props"],
          opts: options.get(`${type} ${name}`) ?? {},
        });
        return { id: `${name}-id`, state };
      },
      call: ({ inputs }) => inputs,
    },
    PROJECT,
    stack,
    false,
  );
  let outputs: SiteOutputs | undefined;
  await pulumi.runtime.runInPulumiStack(async () => {
    pulumi.runtime.registerStackTransformation(({ type, name, opts }) => {
      const { protect, retainOnDelete, ignoreChanges } = opts;
      options.set(`${type} ${name}`, { protect, retainOnDelete, ignoreChanges });
      return undefined;
    });
    const transformations = withFieldManager ? [oneFieldManager] : [];
    const site = new MatomoSite("matomo", { settings, region: SOME_REGION }, { transformations });
    outputs = site.outputs;
    return {};
  });
  await pulumi.runtime.disconnect();
  return { resources, outputs: outputs! };
}
