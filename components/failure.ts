/** How the program ends when it cannot go on. */
import { RunError } from "@pulumi/pulumi/errors";

/** The program stopped on purpose, before anything was touched; its message says all. */
export class Refusal extends RunError {
  constructor(message: string) {
    super(message);
    // Without a stack Pulumi prints the message alone.
    delete this.stack;
  }
}

/**
 * Leaves stack traces as V8 writes them. Types are stripped line by line, so the lines of this
 * program are right without a source map. Pulumi's program runner maps the frames of Pulumi's own
 * files too: at each promise that it follows, a twentieth of a preview's time, and onto names such
 * as `node_modules/@pulumi/resource.ts`, on which Node 20's `inspect` with colours, which prints an
 * error, loops for most of a minute.
 */
export function withoutSourceMaps(): void {
  Object.assign(Error, { prepareStackTrace: undefined });
}
