/** `node launch/run.cjs FILE [ARGUMENT...]`: runs a TypeScript file as one file, as load.cjs says. */
"use strict";
const path = require("node:path");
const { load } = require("./load.cjs");

process.argv.splice(1, 2, path.resolve(process.argv[2]));
const [, file] = process.argv;
const loaded = load({ [file]: file });

// Where a stack trace is printed, and no sooner: Pulumi's SDK takes one of each promise.
const write = process.stderr.write.bind(process.stderr);
process.stderr.write = (chunk, ...rest) =>
  write(typeof chunk === "string" ? loaded.mapped(chunk) : chunk, ...rest);

loaded.load(file);
