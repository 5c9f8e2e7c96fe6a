/**
 * PHP's memory_limit, for every worker at once, fits the container.
 *
 * The old chart gave PHP 2G in a container of 1Gi: an out-of-memory kill at night instead of an
 * error in a log (incident 15). Read are the php.ini files that a container mounts from ConfigMaps
 * of this stack, and the number of workers in the Apache or PHP-FPM configuration beside them.
 */
import { z } from "zod";
import { View } from "../core/data";
import { mountedFiles } from "../core/mounts";
import { KubeObject } from "../core/objects";
import { iniBytes, iniValue, workersIn } from "../core/php";
import { parseBytes } from "../core/quantity";
import { Fault, stackRule } from "../core/rule";
import { settings } from "../core/settings";
import { Container, eachContainer, Workload } from "../core/workloads";
import { attempt } from "../core/logic";
import { NotKnown } from "../core/data";

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
    const configMaps = new Map<string, KubeObject>();
    for (const map of stack.all("ConfigMap")) {
      const key = attempt(() => map.key());
      if (!(key instanceof NotKnown)) {
        configMaps.set(key, map);
      }
    }
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
  const limit = iniValue(files, "memory_limit");
  if (limit === undefined) {
    return undefined;
  }
  const at: View = container.view.at("resources", "limits", "memory");
  const room =
    parseBytes(at.text() ?? "") ??
    parseBytes(workload.spec.at("resources", "limits", "memory").text() ?? "");
  const perWorker = iniBytes(limit);
  if (perWorker === undefined || room === undefined) {
    // A container without a limit is told by containers-declare-resources.
    return undefined;
  }
  // Only a main container serves: an init container runs one PHP process.
  const workers = container.slot() === "main" ? workersIn(files, container, fallback) : 1;
  const shared = iniBytes(iniValue(files, "opcache.memory_consumption") ?? "0", "M") ?? 0n;
  const needed = perWorker * BigInt(workers) + shared;
  if (perWorker >= 0n && needed <= room) {
    return undefined;
  }
  const found =
    perWorker < 0n
      ? `memory_limit ${limit} lets PHP take more than the container's limit`
      : `${workers} × memory_limit ${limit} and the opcache need ${mib(needed)} MiB, the container has ${mib(room)}`;
  return { at, found, fix: "Lower memory_limit or the workers, or raise the container's limit." };
}

const mib = (bytes: bigint) => (bytes / 1048576n).toString();
