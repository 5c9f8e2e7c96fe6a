/** `node launch/run.cjs FILE [ARGUMENT...]`: runs a TypeScript file as one file, as load.cjs says. */
"use strict";
const path = require("node:path");
const { load } = require("./load.cjs");

process.argv.splice(1, 2, path.resolve(process.argv[2]));
const [, file] = process.argv;
const loaded = load({ [file]: file });
Error.prepareStackTrace = (error, frames) =>
  loaded.mapped([String(error), ...frames].join("\n    at "));
loaded.load(file);
