/** Settings with an off-site place, as a person states them: its key encrypted by the stack's own engine. */
import * as fs from "node:fs/promises";
import { parse } from "yaml";
import { OFFSITE_SECRETS } from "../components/settings";
import type { Site } from "./api/harness";

const KEY = "matomo:backup";

/** Adds `backup.offsite` to a site's settings. */
export async function stateOffsite(site: Site, offsite: Record<string, string>): Promise<void> {
  const isSecret = ([name]: [string, string]) =>
    (OFFSITE_SECRETS as readonly string[]).includes(name);
  const stated = Object.entries(offsite);
  const clear = Object.fromEntries(stated.filter((one) => !isSecret(one)));
  const backup = { ...(site.config[KEY] as object), offsite: clear };
  site.config = { ...site.config, [KEY]: backup };
  const file = await site.engine.stackFile(site.stack, site.config);
  for (const [name, input] of stated.filter(isSecret)) {
    const words = ["config", "set", "--secret", "--path", `${KEY}.offsite.${name}`];
    await site.pulumi(words, { process: { input } });
    // Each command writes the file anew.
    site.config = { ...site.config, [KEY]: parse(await fs.readFile(file, "utf8")).config[KEY] };
  }
}
