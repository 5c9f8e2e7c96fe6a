/** The stack's raw configuration, as the engine hands it over. */
import * as pulumi from "@pulumi/pulumi";

/** All keys of this project, without their prefix. Other projects' keys are not ours to judge. */
export function stackConfiguration(): Record<string, string> {
  const prefix = `${pulumi.getProject()}:`;
  const own = Object.entries(pulumi.runtime.allConfig()).filter(([key]) => key.startsWith(prefix));
  return Object.fromEntries(own.map(([key, value]) => [key.slice(prefix.length), value]));
}
