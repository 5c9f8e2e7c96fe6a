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
