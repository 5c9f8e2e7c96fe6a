/** Images of another Matomo for the node. */
import * as fs from "node:fs/promises";
import * as os from "node:os";
import * as path from "node:path";
import { matomoFolder, siteImage } from "../../local/node/images";
import { importImage } from "../../local/node/node";
import type { NodeSite } from "./harness";
import { restateVersion } from "./version";

/** Brings the Matomo of a folder onto the site's node, as the image of this version. */
export async function importMatomo(
  site: NodeSite,
  version: string,
  folder = matomoFolder(),
): Promise<void> {
  await importImage(site.cluster.folder, await siteImage(`matomo:${version}-apache`, folder));
}

/** An image of the same Matomo that calls itself another version and runs an update. */
export async function importRelease(site: NodeSite, version: string, sql: string): Promise<void> {
  const made = await fs.mkdtemp(path.join(os.tmpdir(), "matomo-release-"));
  // In the image it is everybody's to read, as that is its owner's alone.
  const folder = path.join(made, "matomo");
  try {
    await fs.cp(matomoFolder(), folder, { recursive: true });
    restateVersion(folder, version);
    // None in between: what an update has done is written down, and the old Matomo refuses it then.
    const updates = path.join(folder, "core", "Updates");
    await fs.rm(updates, { recursive: true });
    await fs.mkdir(updates);
    const name = `Updates_${version.replaceAll(".", "_")}`;
    const update = process.env.MATOMO_DIST
      ? `<?php\nnamespace Piwik\\Updates;\nclass ${name} extends \\Piwik\\Updates {\n` +
        `  public function doUpdate(\\Piwik\\Updater $updater) { \\Piwik\\Db::query("${sql}"); }\n}\n`
      : `<?php \\Piwik\\Db::query("${sql}");`;
    await fs.writeFile(path.join(updates, `${version}.php`), update);
    await importMatomo(site, version, folder);
  } finally {
    await fs.rm(made, { recursive: true, force: true });
  }
}
