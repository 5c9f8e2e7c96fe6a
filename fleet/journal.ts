/**
 * What a command has begun that changes more than it can take back at once: kept in a file, so that an
 * interrupted one goes on when it is run again.
 */
import { existsSync } from "node:fs";
import * as fs from "node:fs/promises";
import * as path from "node:path";

export class JournalFile<J extends { started: string }> {
  constructor(
    private readonly folder: string,
    private readonly name: string,
  ) {}

  get path(): string {
    return path.join(this.folder, `${this.name}.json`);
  }

  async read(): Promise<J | undefined> {
    if (!existsSync(this.path)) return undefined;
    return JSON.parse(await fs.readFile(this.path, "utf8")) as J;
  }

  /** Written whole, and readable by nobody else at any time. */
  async write(journal: J): Promise<void> {
    await fs.mkdir(this.folder, { recursive: true, mode: 0o700 });
    // Under one name: what a killed command leaves is written over by the next one.
    const partial = `${this.path}.partial`;
    await fs.writeFile(partial, JSON.stringify(journal, undefined, 2), { mode: 0o600 });
    await fs.rename(partial, this.path);
  }

  /** Puts a finished one aside, under the time of its beginning. */
  async archive({ started }: J): Promise<string> {
    const name = `${this.name}-${started.replace(/[:.]/g, "")}.json`;
    const target = path.join(this.folder, name);
    await fs.rename(this.path, target);
    return target;
  }
}
