/** What a long step shows while it runs. */
import type { Report } from "./toolchain";

/**
 * Shows each line with the time since the step began. On a terminal the line replaces the one
 * before; elsewhere only lines of prose are kept, not the hundreds of packages that Go compiles.
 */
export function elapsedReport(
  task: { output: string },
  terminal = Boolean(process.stdout.isTTY) && !process.env.CI,
): Report {
  const started = Date.now();
  return (line) => {
    const isPackage = /^[\w.-]+(\/[\w.-]+)*$/.test(line);
    if (terminal || !isPackage) {
      task.output = `${Math.round((Date.now() - started) / 1000)} s  ${line}`;
    }
  };
}
