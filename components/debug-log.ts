/**
 * Keeps Pulumi's Node SDK from writing secrets into a verbose log.
 *
 * At debug level it prints the engine's whole answer to each registration, passwords in clear, and
 * `--logtostderr` shows that at any `-v` from 3 on. The engine's own log says what happened.
 */
import log = require("@pulumi/pulumi/log");

/** Drops the SDK's debug messages; this program writes none of its own. */
export function withholdDebugMessages(): void {
  Object.assign(log, { debug: () => Promise.resolve() });
}
