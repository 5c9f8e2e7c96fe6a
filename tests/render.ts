/** The program's resources as the unit and policy tests look at them. */
import { parseSettings } from "../components/settings";
import { type Rendered, type RenderedSite, renderSettings } from "../fleet/checks/render";

export type { Kept, Rendered, RenderedSite } from "../fleet/checks/render";

/** The least that a stack states. */
export const MINIMAL: Record<string, string> = {
  domain: "matomo.example.com",
  email: "admin@example.com",
  cluster: '{"doks":"liberty"}',
};

/**
 * Renders the site that a stack with this raw configuration is.
 * @throws SettingsError as the program does
 */
export async function renderSite(config: Record<string, string>): Promise<RenderedSite> {
  return renderSettings(parseSettings(config), { stack: "liberty", withFieldManager: false });
}

/** The resources alone. */
export async function render(config: Record<string, string> = MINIMAL): Promise<Rendered[]> {
  return (await renderSite(config)).resources;
}
