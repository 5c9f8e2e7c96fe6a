/** Copies of the checkout, which is never written to: whole, or the program as a pull request changes it. */
import assert from "node:assert/strict";
import * as fs from "node:fs/promises";
import * as os from "node:os";
import * as path from "node:path";

const checkout = path.resolve(__dirname, "..");
const FOLDERS = ["components", "fleet", "launch", "policy"];
const FILES = /^(index\.ts|package(-lock)?\.json|tsconfig\.json|Pulumi\..*yaml)$/;

/** What was made in the checkout and is not of it. */
const MADE = ["node_modules", ".git", ".local", "reports"];

/**
 * Copies the whole checkout, as it is before anything was installed or started in it. Its lockfile is
 * older than any installation, as in a checkout that was installed after it was made.
 */
export async function copyCheckout(folder: string): Promise<void> {
  await fs.cp(checkout, folder, {
    recursive: true,
    filter: (source) => !MADE.includes(path.relative(checkout, source)),
  });
  await fs.utimes(path.join(folder, "package-lock.json"), 0, 0);
}

/** Makes the checkout's own libraries those of a copy. */
export async function linkLibraries(folder: string): Promise<void> {
  await fs.symlink(path.join(checkout, "node_modules"), path.join(folder, "node_modules"));
}

/** The program of the checkout, without what runs and tests it. */
export class CheckoutCopy {
  private constructor(readonly folder: string) {}

  static async make(): Promise<CheckoutCopy> {
    const folder = await fs.mkdtemp(path.join(os.tmpdir(), "matomo-copy-"));
    const files = (await fs.readdir(checkout)).filter((name) => FILES.test(name));
    for (const part of [...FOLDERS, ...files]) {
      await fs.cp(path.join(checkout, part), path.join(folder, part), { recursive: true });
    }
    await linkLibraries(folder);
    return new CheckoutCopy(folder);
  }

  /** Does the work while a file of the copy is changed. */
  async changed<T>(file: string, [from, to]: [string, string], work: () => Promise<T>): Promise<T> {
    const target = path.join(this.folder, file);
    const text = await fs.readFile(target, "utf8");
    assert.ok(text.includes(from), `${file} has no ${from}`);
    await fs.writeFile(target, text.replace(from, to));
    try {
      return await work();
    } finally {
      await fs.writeFile(target, text);
    }
  }

  /** Node's arguments that run a TypeScript file of the copy, as the npm scripts have them. */
  command(file: string): string[] {
    return [path.join(this.folder, "launch", "run.cjs"), path.join(this.folder, file)];
  }

  async remove(): Promise<void> {
    await fs.rm(this.folder, { recursive: true, force: true });
  }
}
