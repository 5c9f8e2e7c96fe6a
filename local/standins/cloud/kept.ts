/** What the local cloud keeps in files, as it outlives its process. */
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";

/** What is in a file; where there is none, what it begins with. */
export function readKept<T>(file: string, first: T): T {
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as T) : first;
}

/** Written aside and renamed, so that a kill leaves the old file or the new one. */
export function writeKept(file: string, value: unknown): void {
  writeFileSync(`${file}.new`, JSON.stringify(value, undefined, 2));
  renameSync(`${file}.new`, file);
}
