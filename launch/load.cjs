/**
 * Loads TypeScript as one file: the modules that are asked for with all that they import, types stripped,
 * kept in the user's cache with what V8 compiled of it. Finding, reading and compiling a thousand files is
 * most of what a short-lived process does here, at each preview, for the program and for the policy pack.
 */
"use strict";
const { spawnSync } = require("node:child_process");
const { createHash, randomUUID } = require("node:crypto");
const fs = require("node:fs");
const { createRequire, Module, SourceMap } = require("node:module");
const os = require("node:os");
const path = require("node:path");
const vm = require("node:vm");

const checkout = path.dirname(__dirname);
/** What any of these files may import, beside the folder of the module itself. */
const SOURCES = ["components", "fleet", "launch", "local", "policy"];
const DAY = 24 * 3600 * 1000;

/**
 * Makes the file, or finds it, and begins to run it. What does not compile ends the process with 1.
 *
 * @param {Record<string, string>} modules files by the names under which the answer has them
 * @param {{ replace?: string, keep?: (write: () => void) => void }} [options] `replace`: file of what
 *   stands in for parts of libraries (default: program-sdk.mjs); `keep`: told once, if V8's work is not
 *   kept yet, with what writes it (default: at the end of a process that ends well)
 * @returns {{ load(name: string): any, mapped(stack: string): string, mapError(error: any): void }} what
 *   runs a module and gives its exports, and what puts the lines of the sources into a stack trace, or
 *   into that of an error; one that ends the process has them
 */
function load(modules, { replace = path.join(__dirname, "program-sdk.mjs"), keep = atEnd } = {}) {
  const filename = bundle(modules, replace);
  const compiled = `${filename}.cache`;
  const cachedData = fs.existsSync(compiled) ? fs.readFileSync(compiled) : undefined;
  // esbuild writes ASCII, which is read faster by its name.
  const code = Module.wrap(fs.readFileSync(filename, "latin1"));
  const script = new vm.Script(code, { filename, cachedData });
  const main = { exports: {} };
  const require = createRequire(Object.values(modules)[0]);
  script.runInThisContext()(main.exports, require, main, filename, path.dirname(filename));
  // Another version of V8 refuses what this one kept.
  if (cachedData === undefined || script.cachedDataRejected) {
    keep(() => write(compiled, (partial) => fs.writeFileSync(partial, script.createCachedData())));
  }
  const mapError = (error) => {
    // An error without a stack trace is meant to be so.
    if (error?.stack) error.stack = mapped(filename, String(error.stack));
  };
  process.on("uncaughtExceptionMonitor", mapError);
  return {
    load: (name) => main.exports[name](),
    mapped: (stack) => mapped(filename, stack),
    mapError,
  };
}

/** Not before, so that what the process did is in it too. */
function atEnd(write) {
  process.once("exit", (code) => {
    if (code === 0) write();
  });
}

/** The file of these modules as they are now, made if it is not there yet. */
function bundle(modules, replace) {
  const hash = createHash("sha256").update(process.version).update(JSON.stringify(modules));
  for (const file of sources(modules)) hash.update(file).update(fs.readFileSync(file));
  const folder = cacheFolder();
  const name = path.join(folder, `${hash.digest("hex").slice(0, 16)}.js`);
  const { mtimeMs } = fs.statSync(name, { throwIfNoEntry: false }) ?? {};
  if (mtimeMs === undefined) {
    removeOld(folder);
    write(name, (partial) => {
      const args = [path.join(__dirname, "bundle.mjs"), JSON.stringify({ modules, replace })];
      const options = { stdio: ["ignore", "inherit", "inherit"], cwd: checkout };
      const { status, error } = spawnSync(process.execPath, [...args, partial], options);
      if (error) throw error;
      if (status !== 0) {
        console.error("The program does not compile, for the reason above.");
        process.exit(1);
      }
      fs.renameSync(`${partial}.map`, `${name}.map`);
    });
  } else if (mtimeMs < Date.now() - DAY) {
    fs.utimesSync(name, new Date(), new Date());
  }
  return name;
}

/** Everything that the file may be made of. */
function sources(modules) {
  const folders = Object.values(modules)
    .map((file) => path.relative(checkout, path.dirname(file)).split(path.sep)[0])
    .filter((folder) => !["", "..", "node_modules"].includes(folder));
  const there = (folder) => fs.existsSync(path.join(checkout, folder));
  const files = [...new Set([...SOURCES, ...folders])].filter(there).flatMap((folder) =>
    fs
      .readdirSync(path.join(checkout, folder), { recursive: true, encoding: "utf8" })
      .filter((name) => /\.([mc]?[jt]s|json)$/.test(name))
      .map((name) => path.join(checkout, folder, name)),
  );
  const own = Object.values(modules).filter((file) => !file.includes("node_modules"));
  return [...new Set([...files, ...own])].sort().concat(path.join(checkout, "package-lock.json"));
}

/** In the user's cache; where nothing can be written there, a folder for this process alone. */
function cacheFolder() {
  const cache = process.env.XDG_CACHE_HOME || path.join(os.homedir(), ".cache");
  const folder = path.join(cache, "matomo-fleet", "launch");
  try {
    fs.mkdirSync(folder, { recursive: true });
    fs.accessSync(folder, fs.constants.W_OK);
    return folder;
  } catch {
    const own = fs.mkdtempSync(path.join(os.tmpdir(), "matomo-fleet-"));
    process.once("exit", () => fs.rmSync(own, { recursive: true, force: true }));
    return own;
  }
}

/** Files that nobody used for a week, so that nobody can be about to read them. */
function removeOld(folder) {
  for (const file of fs.readdirSync(folder)) {
    const name = path.join(folder, file);
    const used = fs.statSync(name.replace(/(\.js)\..*$/, "$1"), { throwIfNoEntry: false });
    const { mtimeMs } = used ?? fs.statSync(name, { throwIfNoEntry: false }) ?? {};
    if (mtimeMs < Date.now() - 7 * DAY) fs.rmSync(name, { force: true });
  }
}

/** Another process may read the file, or write the same one. */
function write(name, fill) {
  const partial = `${name}.${randomUUID()}`;
  fill(partial);
  fs.renameSync(partial, name);
}

/** The stack trace with the lines of the sources in place of the file's. */
function mapped(filename, stack) {
  const [before, ...frames] = stack.split(`${filename}:`);
  if (frames.length === 0) return stack;
  const map = new SourceMap(JSON.parse(fs.readFileSync(`${filename}.map`, "utf8")));
  const found = frames.map((frame) =>
    frame.replace(/^(\d+):(\d+)/, (_, line, column) => {
      const { originalSource, originalLine, originalColumn } = map.findEntry(line - 1, column - 1);
      // Libraries by their own maps would be files that are not there.
      if (!originalSource || originalSource.includes("node_modules")) {
        return `${filename}:${line}:${column}`;
      }
      const source = path.resolve(path.dirname(filename), originalSource);
      return `${source}:${originalLine + 1}:${originalColumn + 1}`;
    }),
  );
  return [before, ...found].join("");
}

module.exports = { load };
