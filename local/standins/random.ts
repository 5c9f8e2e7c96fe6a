/**
 * Stand-in for Pulumi's `random` provider plugin (the real one cannot be built from Go modules).
 *
 * Real randomness, the real schema: what replaces, what is secret, what an import reads. The values
 * live in the stack's state and nowhere else, as with the real provider. Used by local/ only, and
 * only where the real plugin is not installed.
 */
import { RandomBytes, RandomId, RandomUuid } from "./random-ids";
import { RandomPassword, RandomString } from "./random-strings";
import { servePlugin } from "./plugin";
import type { PluginStandIn } from "./plugin";

export const random: PluginStandIn = {
  name: "random",
  version: "4.21.2",
  resources: {
    "random:index/randomBytes:RandomBytes": RandomBytes,
    "random:index/randomId:RandomId": RandomId,
    "random:index/randomPassword:RandomPassword": RandomPassword,
    "random:index/randomString:RandomString": RandomString,
    "random:index/randomUuid:RandomUuid": RandomUuid,
  },
  functions: {},
};

export function serve(): void {
  servePlugin(random);
}
