/** What stands in the pack's file for parts of Pulumi's SDK: what a pack never runs, or would do again for each rule. */
import * as fs from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const rpc = require.resolve("@pulumi/pulumi/runtime/rpc");
const analyzer = require.resolve("@pulumi/pulumi/proto/analyzer_grpc_pb");
const deserialize = require.resolve("@pulumi/policy/deserialize");

/** Told by the server when it has judged the whole stack, before it answers. */
export const JUDGED = "matomo-fleet:judged";

/** Text in place of a file's, by the file. */
export const replacements = () => ({
  // All that a program makes resources with is two thirds of what the SDK loads; of it the server
  // takes assets. What the engine sends is never an Output.
  [require.resolve("@pulumi/pulumi")]: `exports.asset = require("./asset"); exports.Output = { isInstance: () => false };`,
  [rpc]: `module.exports = ${JSON.stringify(constants(require(rpc)))};`,
  // The engine asks of each resource whether a rule would repair it. None does: what is not there is
  // answered without reading the resource. The verdict on the stack is the last that it asks for.
  [analyzer]: `${text(analyzer)}
    delete AnalyzerService.remediate;
    const { responseSerialize } = AnalyzerService.analyzeStack;
    AnalyzerService.analyzeStack.responseSerialize = (verdict) => {
      process.emit(${JSON.stringify(JUDGED)});
      return responseSerialize(verdict);
    };`,
  // The server reads the same properties once for each rule.
  [deserialize]: `${text(deserialize)}
    const read = new WeakMap();
    exports.deserializeProperties = (properties, proxySecrets) => {
      if (proxySecrets) return deserializeProperties(properties, proxySecrets);
      if (!read.has(properties)) read.set(properties, deserializeProperties(properties, false));
      return read.get(properties);
    };`,
});

function text(file) {
  return fs.readFileSync(file, "utf8");
}

function constants(module) {
  return Object.fromEntries(
    Object.entries(module).filter(([, value]) => typeof value === "string"),
  );
}
