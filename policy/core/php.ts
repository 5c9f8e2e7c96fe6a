/** What php.ini, Apache's and PHP-FPM's configuration say about memory and workers. */
import { MountedFile } from "./mounts";
import { Container } from "./workloads";

/** `key = value`, the value perhaps in quotes. A comment begins its line otherwise. */
const assignment = (key: string) =>
  String.raw`^[ \t]*${key.replace(/\./g, "\\.")}[ \t]*=[ \t]*["']?([^"';\s]+)`;

/** Apache's `Name value`. */
const directive = (name: string) => String.raw`^[ \t]*${name}[ \t]+(\S+)`;

/** The last setting wins, as in PHP; comments do not count. */
export function iniValue(files: MountedFile[], key: string): string | undefined {
  return lastMatch(
    files.filter((file) => file.name.endsWith(".ini")),
    assignment(key),
  );
}

/** Apache's `php_value memory_limit 128M`, and a pool's `php_value[memory_limit] = 128M`. */
const serverLimit = (name: string) =>
  String.raw`^[ \t]*${name}(?:[ \t]+memory_limit[ \t]+|\[memory_limit\][ \t]*=[ \t]*)["']?([^"';\s]+)`;

/**
 * PHP's memory_limit, variables resolved. A server's own configuration goes before php.ini, and
 * php_admin_value before php_value; PHP on the command line reads php.ini alone.
 */
export function memoryLimit(
  files: MountedFile[],
  container: Container,
  isServer: boolean,
): string | undefined {
  const ofServer = (name: string) =>
    isServer ? lastMatch(confs(files), serverLimit(name)) : undefined;
  const value =
    ofServer("php_admin_value") ?? ofServer("php_value") ?? iniValue(files, "memory_limit");
  return value === undefined ? undefined : resolve(value, files, container);
}

/** What PHP takes where a mounted php.ini leaves it out and the workers are stated. */
export function builtInLimit(files: MountedFile[], container: Container): string | undefined {
  const hasIni = files.some((file) => file.name.endsWith(".ini"));
  const isPool = () => lastMatch(confs(files), assignment("pm.max_children")) !== undefined;
  const isPhp = files.some((file) => file.name === "php.ini") || (hasIni && isPool());
  return isPhp && workersIn(files, container, 0) > 0 ? "128M" : undefined;
}

/** PHP's shorthand: 128M, 1G, 512K, or bytes; `unit` is what a bare number means. */
export function iniBytes(value: string | undefined, unit = ""): bigint | undefined {
  const match = /^(-?\d+)([KMG]?)$/i.exec(value ?? "");
  if (!match) {
    return undefined;
  }
  const power = ["", "K", "M", "G"].indexOf((match[2] || unit).toUpperCase());
  return BigInt(match[1]) * 1024n ** BigInt(power);
}

const WORKERS = [
  directive("MaxRequestWorkers"),
  directive("MaxClients"),
  assignment("pm.max_children"),
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

/** `${WORKERS}` is an Apache Define, else a variable of the container's environment. */
function resolve(value: string, files: MountedFile[], container: Container): string {
  return value.replace(/\$\{(\w+)\}/g, (whole, name: string) => {
    const variable = () =>
      container.view
        .at("env")
        .list()
        .find((entry) => entry.at("name").text() === name)
        ?.at("value")
        .text();
    return (
      lastMatch(confs(files), directive(String.raw`Define[ \t]+${name}`)) ?? variable() ?? whole
    );
  });
}

/** The patterns begin at a line's start and find one value. */
function lastMatch(files: MountedFile[], pattern: string): string | undefined {
  const everyLine = new RegExp(pattern, "gim");
  return files
    .flatMap((file) => [...file.text().matchAll(everyLine)])
    .map((match) => match[1])
    .at(-1);
}
