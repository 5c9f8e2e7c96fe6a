/** The stack's raw configuration, as the engine hands it over. */
import * as pulumi from "@pulumi/pulumi";

/** Pulumi's own types leave it out. */
const { isConfigSecret } = pulumi.runtime as unknown as { isConfigSecret(key: string): boolean };

const prefixed = (key: string) => `${pulumi.getProject()}:${key}`;

/** All keys of this project, without their prefix. Other projects' keys are not ours to judge. */
export function stackConfiguration(): Record<string, string> {
  const prefix = prefixed("");
  const own = Object.entries(pulumi.runtime.allConfig()).filter(([key]) => key.startsWith(prefix));
  return Object.fromEntries(own.map(([key, value]) => [key.slice(prefix.length), value]));
}

/** Whether the stack's file has a key encrypted, or a part of what is below it: the engine tells no more. */
export function isEncrypted(key: string): boolean {
  return isConfigSecret(prefixed(key));
}
