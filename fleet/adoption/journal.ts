/**
 * What is kept of a site before its adoption begins: the stack's state and every object as it was,
 * in one file of its owner alone. An interrupted adoption goes on with it, an undo puts it back.
 *
 * The values of the site's Secrets are not in it, only the names of their keys: adoption keeps the
 * values. Helm's release records are, because they are removed in the end; Helm puts passwords into
 * them, so the file is as secret as the cluster's own Secrets.
 */
import { existsSync } from "node:fs";
import * as fs from "node:fs/promises";
import * as path from "node:path";
import type { Data } from "./program";
import type { Deployment } from "./state";

export interface Journal {
  format: 1;
  stack: string;
  started: string;
  /** Every write to the cluster and to the state has been made. */
  finished?: string;
  identity: string;
  /** The stack's state before; its secrets are encrypted. */
  state: Deployment;
  /** Objects that adoption takes over, as they were. Secrets without values. */
  objects: Data[];
  /** Keys of each Secret, by its name. */
  secretKeys: Record<string, string[]>;
  /** Objects that the program adds. */
  added: Data[];
  /** Objects of the release that go away in the end. */
  leftovers: Data[];
  records: Data[];
  /** When the proven backup was made. */
  backup?: string;
}

/** A journal's file; `repair-volume` keeps one of its own. */
export class JournalFile<J extends { started: string } = Journal> {
  constructor(
    /** Folder of the Pulumi project. */
    private readonly project: string,
    private readonly name: string,
    private readonly folder = ".adoption",
  ) {}

  get path(): string {
    return path.join(this.project, this.folder, `${this.name}.json`);
  }

  async read(): Promise<J | undefined> {
    if (!existsSync(this.path)) return undefined;
    return JSON.parse(await fs.readFile(this.path, "utf8")) as J;
  }

  /** Written whole, and readable by nobody else at any time. */
  async write(journal: J): Promise<void> {
    await fs.mkdir(path.dirname(this.path), { recursive: true, mode: 0o700 });
    const partial = `${this.path}.${process.pid}`;
    await fs.writeFile(partial, JSON.stringify(journal, undefined, 2), { mode: 0o600 });
    await fs.rename(partial, this.path);
  }

  /** Puts a finished one aside, under the time of its beginning. */
  async archive({ started }: J): Promise<string> {
    const name = `${this.name}-${started.replace(/[:.]/g, "")}.json`;
    const target = path.join(path.dirname(this.path), name);
    await fs.rename(this.path, target);
    return target;
  }
}
