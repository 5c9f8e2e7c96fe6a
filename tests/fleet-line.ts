/** Command lines of the fleet that are written somewhere, read by the fleet's own program. */
import { CommanderError } from "commander";
import { fleetProgram } from "../fleet/program";

/** The lines of a text, each without the comment behind it. */
export function fleetLines(text: string): string[] {
  const lines = [...text.matchAll(/\bnpm run (?:-s )?fleet -- ([^`\n]+)/g)];
  return lines.map(([, line]) => line.replace(/\s#.*$/, "").trim());
}

/** Why the program would refuse a command line; undefined when it would not. None of its work is done. */
export async function refusalOf(line: string): Promise<string | undefined> {
  const program = await fleetProgram(() => Promise.resolve());
  const silent = { writeOut: () => undefined, writeErr: () => undefined };
  for (const command of [program, ...program.commands]) command.configureOutput(silent);
  try {
    await program.parseAsync(line.split(/\s+/), { from: "user" });
    return undefined;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? undefined : error.message;
  }
}
