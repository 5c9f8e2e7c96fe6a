/** What stands in the file for parts of Pulumi's SDK that this program never runs: half of what the SDK loads. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const sdk = createRequire(createRequire(import.meta.url).resolve("@pulumi/pulumi"));
const refused = (...names) =>
  names
    .map(
      (name) =>
        `exports.${name} = () => { throw new Error("${name}: no function is kept here"); };`,
    )
    .join("\n");

/** Text in place of a file's, by the file. */
export const replacements = () => ({
  // A function as a resource (a dynamic provider) needs TypeScript's compiler, npm's tree of packages, and
  // an open debugger, which makes all of V8 slower.
  [sdk.resolve("./runtime/closure/serializeClosure")]: refused(
    "serializeFunction",
    "serializeFunctionAsync",
  ),
  [sdk.resolve("./runtime/closure/codePaths")]: refused("computeCodePaths"),
  [sdk.resolve("./runtime/closure/v8Hooks")]:
    "exports.isInitializedAsync = () => Promise.resolve();",
  [sdk.resolve("./cmd/run/tracing")]: loadedAtStart(sdk.resolve("./cmd/run/tracing")),
  // It would map the frames of each promise that the SDK follows, also onto names such as
  // `node_modules/@pulumi/resource.ts`, on which Node 20's `inspect` with colours, which prints an error,
  // loops for most of a minute. load.cjs maps our own lines in an error that ends the program.
  [sdk.resolve("source-map-support/register")]: "",
});

/** Traces are asked for by an option: what sends them is loaded then. */
function loadedAtStart(file) {
  const senders = /^const \{ [\w, ]+ \} = require\("@opentelemetry\/[^"]+"\);\n/gm;
  const text = readFileSync(file, "utf8");
  const start = /^function start\(.*\{\n/m;
  return text.replace(senders, "").replace(start, (line) => line + text.match(senders).join(""));
}
