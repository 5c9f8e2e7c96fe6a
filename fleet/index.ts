/**
 * `npm run fleet -- COMMAND`: what spans clusters, or is no deployment. Each command takes its cluster
 * from its stack's settings.
 *
 * Exit codes: 0 all is well; 1 something is wrong, or failed; 2 the command line or the settings are
 * refused, and nothing was touched; 130 interrupted.
 */
import { CommanderError } from "commander";
import { Failure, Interrupted, missingPart, reason } from "./errors";
import { listenToSignals, openFleet, type Run } from "./fleet";
import { fleetProgram } from "./program";
import { isRefusal } from "./run";

const EXIT = { wrong: 1, refused: 2, interrupted: 130 };
// Until a command says how it ended, it did not end well.
process.exitCode = EXIT.wrong;

const signals = listenToSignals();

const run: Run = async (command, work) => {
  const fleet = openFleet(command, signals);
  const { output } = fleet;
  try {
    const { ok, json, text } = await work(fleet);
    output.write(output.json ? JSON.stringify(json, undefined, 2) : text);
    const { aborted } = signals.interrupted;
    process.exitCode = ok ? 0 : aborted ? EXIT.interrupted : EXIT.wrong;
  } catch (error) {
    const isMeant = error instanceof Interrupted || !signals.interrupted.aborted;
    const stop = isMeant ? error : new Interrupted();
    output.note(isExpected(stop) ? `fleet: ${reason(stop)}` : String((stop as Error).stack));
    if (output.json) output.write(JSON.stringify({ error: reason(stop) }, undefined, 2));
    process.exitCode = exitCode(stop);
  }
};

function isExpected(error: unknown): boolean {
  const isOurs = error instanceof Failure || error instanceof Interrupted || isRefusal(error);
  return isOurs || missingPart(error) !== undefined;
}

function exitCode(error: unknown): number {
  if (error instanceof Interrupted) return EXIT.interrupted;
  return isRefusal(error) ? EXIT.refused : EXIT.wrong;
}

fleetProgram(run, process.argv.slice(2))
  .then((program) => program.parseAsync())
  .catch((error: unknown) => {
    if (error instanceof CommanderError) {
      // Commander has said what is wrong; help that was asked for is fine.
      process.exitCode = error.exitCode === 0 ? 0 : EXIT.refused;
    } else {
      console.error(error);
      process.exitCode = EXIT.wrong;
    }
  })
  // Whatever connection is still open is nobody's: a command that is done ends.
  .finally(() => process.stdout.write("", () => process.exit()));
