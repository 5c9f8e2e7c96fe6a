/** The version of a copy of Matomo's code, in the one place that states it. */
import * as fs from "node:fs";
import * as path from "node:path";

/** `public const` since Matomo 5.1.0, `const` before. */
const CONSTANT = /\b(const VERSION = ')([^']+)'/;

function fileOf(code: string): string {
  return path.join(code, "core", "Version.php");
}

/** @throws Error where it states none */
export function statedVersion(code: string): string {
  const found = CONSTANT.exec(fs.readFileSync(fileOf(code), "utf8"));
  if (found) return found[2];
  throw new Error(`${fileOf(code)} states no version`);
}

/** Has the code call itself another version, in the form that it had. */
export function restateVersion(code: string, version: string): void {
  statedVersion(code);
  const text = fs.readFileSync(fileOf(code), "utf8");
  fs.writeFileSync(fileOf(code), text.replace(CONSTANT, `$1${version}'`));
}
