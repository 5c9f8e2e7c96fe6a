/**
 * Renders the program's resources with Pulumi's mocks: for unit tests, the policy tests and the
 * snapshots, without an engine or a cluster.
 */
import * as pulumi from "@pulumi/pulumi";
import { MatomoSite, type SiteOutputs } from "../components/site";
import { parseSettings } from "../components/settings";

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

/** A site rendered from a stack's raw configuration. */
export interface RenderedSite {
  resources: Rendered[];
  outputs: SiteOutputs;
}

/** The least that a stack states. */
export const MINIMAL: Record<string, string> = {
  domain: "matomo.example.com",
  email: "admin@example.com",
  cluster: '{"doks":"liberty"}',
};

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
  if (type === "random:index/randomId:RandomId") return { ...inputs, hex: `<${name}>` };
  return inputs;
}

/**
 * Renders the site that a stack with this raw configuration is.
 * @throws SettingsError as the program does
 */
export async function renderSite(config: Record<string, string>): Promise<RenderedSite> {
  const resources: Rendered[] = [];
  const options = new Map<string, Kept>();
  const settings = parseSettings(config);
  await pulumi.runtime.setMocks(
    {
      newResource: ({ type, name, inputs }) => {
        const state = outputsOf(type, name, inputs);
        const stack = pulumi.getStack();
        resources.push({
          urn: `urn:pulumi:${stack}::matomo::${type}::${name}`,
          type,
          name,
          props: plain(state) as Rendered["props"],
          opts: options.get(`${type} ${name}`) ?? {},
        });
        return { id: `${name}-id`, state };
      },
      call: ({ inputs }) => inputs,
    },
    "matomo",
    "liberty",
    false,
  );
  let outputs: SiteOutputs | undefined;
  await pulumi.runtime.runInPulumiStack(async () => {
    pulumi.runtime.registerStackTransformation(({ type, name, opts }) => {
      const { protect, retainOnDelete, ignoreChanges } = opts;
      options.set(`${type} ${name}`, { protect, retainOnDelete, ignoreChanges });
      return undefined;
    });
    const site = new MatomoSite("matomo", { settings, region: "nyc3" }, {});
    outputs = site.outputs;
    return {};
  });
  await pulumi.runtime.disconnect();
  return { resources, outputs: outputs! };
}

/** The resources alone. */
export async function render(config: Record<string, string> = MINIMAL): Promise<Rendered[]> {
  return (await renderSite(config)).resources;
}
