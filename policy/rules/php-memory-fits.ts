/**
 * PHP's memory_limit, for every worker at once, fits the container.
 *
 * The old chart gave PHP 2G in a container of 1Gi: an out-of-memory kill at night instead of an
 * error in a log (incident 15). Read are the php.ini files that a container mounts from ConfigMaps
 * of this stack, and in the Apache or PHP-FPM configuration beside them the number of workers and the
 * limits that go before php.ini's. Where no file has a limit, PHP's own of 128M counts.
 */
import * as z from "zod";
import { View } from "../core/data";
import { mountedFiles } from "../core/mounts";
import { KubeObject } from "../core/objects";
import { builtInLimit, iniBytes, iniValue, memoryLimit, workersIn } from "../core/php";
import { parseBytes } from "../core/quantity";
import { Fault, stackRule } from "../core/rule";
import { settings } from "../core/settings";
import { Container, eachContainer, Workload } from "../core/workloads";

export default stackRule({
  name: "php-memory-fits",
  title: "PHP's memory fits the container",
  description: "PHP's memory_limit times its workers is within the container's memory limit.",
  level: "mandatory",
  severity: "high",
  incidents: [15],
  remediation: "Lower memory_limit or the number of workers, or raise the container's limit.",
  url: "https://www.php.net/manual/en/ini.core.php#ini.memory-limit",
  settings: settings({
    workers: z
      .int()
      .min(1)
      .default(1)
      .describe("workers to count where no mounted configuration states them"),
  }),

  checkStack(stack, judge, { workers }) {
    const configMaps = stack.named("ConfigMap");
    for (const workload of stack.workloads) {
      eachContainer(workload, judge, (container) =>
        tooMuch(container, workload, configMaps, workers),
      );
    }
  },
});

function tooMuch(
  container: Container,
  workload: Workload,
  configMaps: Map<string, KubeObject>,
  fallback: number,
): Fault | undefined {
  const files = mountedFiles(container, workload, configMaps);
  // Only a main container serves: an init container runs one PHP process.
  const isServer = container.slot() === "main";
  const stated = memoryLimit(files, container, isServer);
  const limit = stated ?? (isServer ? builtInLimit(files, container) : undefined);
  if (limit === undefined) {
    return undefined;
  }
  const at: View = container.view.at("resources", "limits", "memory");
  const perWorker = iniBytes(limit);
  if (perWorker === undefined) {
    return {
      at,
      found: `memory_limit ${limit} is no size, so that it is not judged (PHP takes its number and its last letter)`,
      fix: "Write it as 512M or 1G.",
      advisory: true,
    };
  }
  const room =
    parseBytes(at.text()) ?? parseBytes(workload.spec.at("resources", "limits", "memory").text());
  if (room === undefined) {
    // A container without a limit is told by containers-declare-resources.
    return undefined;
  }
  const workers = isServer ? workersIn(files, container, fallback) : 1;
  const shared = iniBytes(iniValue(files, "opcache.memory_consumption"), "M") ?? 0n;
  const needed = perWorker * BigInt(workers) + shared;
  if (perWorker >= 0n && needed <= room) {
    return undefined;
  }
  const found =
    perWorker < 0n
      ? `memory_limit ${limit} lets PHP take more than the container's limit`
      : `${workers} × memory_limit ${limit}${stated === undefined ? " (PHP's own)" : ""} and the opcache need ${mib(needed)} MiB, the container has ${mib(room)}`;
  return { at, found, fix: "Lower memory_limit or the workers, or raise the container's limit." };
}

const mib = (bytes: bigint) => (bytes / 1048576n).toString();
