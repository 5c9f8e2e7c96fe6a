/** What php.ini, Apache's and PHP-FPM's configuration say about memory and workers. */
import { MountedFile } from "./mounts";
import { Container } from "./workloads";

/** The last setting wins, as in PHP; comments do not count. */
export function iniValue(files: MountedFile[], key: string): string | undefined {
  const pattern = new RegExp(`^[ \\t]*${key.replace(/\./g, "\\.")}[ \\t]*=[ \\t]*"?([^";\\s]+)`);
  return lastMatch(
    files.filter((file) => file.name.endsWith(".ini")),
    pattern,
  );
}

/** PHP's shorthand: 128M, 1G, 512K, or bytes; `unit` is what a bare number means. */
export function iniBytes(value: string, unit = ""): bigint | undefined {
  const match = /^(-?\d+)([KMG]?)$/i.exec(value);
  if (!match) {
    return undefined;
  }
  const power = ["", "K", "M", "G"].indexOf((match[2] || unit).toUpperCase());
  return BigInt(match[1]) * 1024n ** BigInt(power);
}

const WORKERS = [
  /^[ \t]*MaxRequestWorkers[ \t]+(\S+)/,
  /^[ \t]*MaxClients[ \t]+(\S+)/,
  /^[ \t]*pm\.max_children[ \t]*=[ \t]*(\S+)/,
];

const confs = (files: MountedFile[]) => files.filter((file) => file.name.endsWith(".conf"));

/** The number of workers that a server is configured for, variables resolved. */
export function workersIn(files: MountedFile[], container: Container, fallback: number): number {
  for (const pattern of WORKERS) {
    const value = lastMatch(confs(files), pattern);
    if (value !== undefined) {
      const count = Number(resolve(value, files, container));
      return Number.isInteger(count) && count > 0 ? count : fallback;
    }
  }
  return fallback;
}

/** `${WORKERS}` is an Apache Define, or a variable of the container's environment. */
function resolve(value: string, files: MountedFile[], container: Container): string {
  const name = /^\$\{(\w+)\}$/.exec(value)?.[1];
  if (name === undefined) {
    return value;
  }
  const defined = lastMatch(confs(files), new RegExp(`^[ \\t]*Define[ \\t]+${name}[ \\t]+(\\S+)`));
  const variable = () =>
    container.view
      .at("env")
      .list()
      .find((entry) => entry.at("name").text() === name)
      ?.at("value")
      .text();
  return defined ?? variable() ?? "";
}

/** The patterns begin at a line's start and find one value. */
function lastMatch(files: MountedFile[], pattern: RegExp): string | undefined {
  const everyLine = new RegExp(pattern.source, "gim");
  return files
    .flatMap((file) => [...file.text().matchAll(everyLine)])
    .map((match) => match[1])
    .at(-1);
}
