/**
 * Loaded by Node before Pulumi's program runner (`nodeargs` of Pulumi.yaml): gives the runner, and the
 * program that it is about to run, from one file. Whatever else is asked for is found as always.
 */
"use strict";
const { createRequire, Module } = require("node:module");
const path = require("node:path");
const { load } = require("./load.cjs");

const [, runner, ...args] = process.argv;

if (runner && path.dirname(runner).endsWith(path.join("@pulumi", "pulumi", "cmd", "run"))) {
  const { ".js": javaScript } = Module._extensions;
  Module._extensions[".ts"] = (module) => (module.exports = loaded.load("program"));
  Module._extensions[".js"] = (module, file) => {
    if (file === runner) module.exports = loaded.load("runner");
    else javaScript(module, file);
  };
  const folder = path.resolve(args[args.indexOf("--pwd") + 1]);
  const program = createRequire(path.join(folder, "package.json")).resolve(
    path.resolve(folder, args.at(-1)),
  );
  const loaded = load({ runner, program });
  // Before the runner's own listener, which prints it.
  process.on("unhandledRejection", loaded.mapError);
}
