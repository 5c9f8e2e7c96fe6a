/**
 * Locks of the engine on the stacks of a state folder. Its backend is used by this machine alone, so
 * a lock whose process has ended is nobody's: a killed `npm start` needs no `pulumi cancel`.
 */
import { existsSync } from "node:fs";
import * as fs from "node:fs/promises";
import * as os from "node:os";
import * as path from "node:path";
import { startTime } from "./daemons";

/** Removes the locks that ended processes of this machine left in a file backend. */
export async function releaseDeadLocks(backend: string): Promise<void> {
  const locks = path.join(backend, ".pulumi", "locks");
  if (!existsSync(locks)) {
    return;
  }
  const entries = await fs.readdir(locks, { recursive: true });
  for (const entry of entries.filter((name) => name.endsWith(".json"))) {
    const file = path.join(locks, entry);
    // Its holder may give it up at any time.
    const text = await fs.readFile(file, "utf8").catch(() => "{}");
    const { pid, hostname } = JSON.parse(text) as { pid?: number; hostname?: string };
    if (pid !== undefined && hostname === os.hostname() && startTime(pid) === undefined) {
      await fs.rm(file, { force: true });
    }
  }
}
