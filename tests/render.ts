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
}

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

/** What a provider would answer: its inputs, and a placeholder for what it makes at random. */
function outputsOf(type: string, name: string, inputs: Record<string, unknown>) {
  if (type === "random:index/randomPassword:RandomPassword") {
    return { ...inputs, result: `<${name}>` };
  }
  return inputs;
}

/**
 * Renders the site that a stack with this raw configuration is.
 * @throws SettingsError as the program does
 */
export async function renderSite(config: Record<string, string>): Promise<RenderedSite> {
  const resources: Rendered[] = [];
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
          props: state,
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
