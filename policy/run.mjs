/**
 * Runs the pack as one file with its types stripped, and keeps that file and what V8 compiled of it in
 * the user's cache: the engine starts the pack at each preview and waits for it, and finding and
 * compiling a thousand modules takes three times as long as what the pack has to do. Pulumi's own
 * runner would check the types as well, eight seconds wherever this version has not run before.
 */
import { createHash, randomUUID } from "node:crypto";
import * as fs from "node:fs";
import Module, { createRequire } from "node:module";
import * as os from "node:os";
import * as path from "node:path";
import { fileURLToPath } from "node:url";
import vm from "node:vm";

const pack = path.dirname(fileURLToPath(import.meta.url));
const require = createRequire(import.meta.url);
/** Told by the server when it has judged the whole stack, before it answers. */
const JUDGED = "matomo-fleet:judged";
const WEEK = 7 * 24 * 3600 * 1000;

/** Everything that the file is made of. */
function sources() {
  const files = fs.readdirSync(pack, { recursive: true, withFileTypes: true });
  const own = files.filter((file) => file.isFile() && /\.(ts|mjs)$/.test(file.name));
  const paths = own.map((file) => path.join(file.parentPath, file.name));
  return [...paths.sort(), path.join(pack, "..", "package-lock.json")];
}

/** The file of this version of the pack, made if it is not there yet. */
async function bundle() {
  const hash = createHash("sha256").update(process.version);
  for (const file of sources()) hash.update(file).update(fs.readFileSync(file));
  const cache = process.env.XDG_CACHE_HOME || path.join(os.homedir(), ".cache");
  const folder = path.join(cache, "matomo-fleet", "policy");
  const name = path.join(folder, `${hash.digest("hex").slice(0, 16)}.js`);
  if (!fs.existsSync(name)) {
    fs.mkdirSync(folder, { recursive: true });
    removeOld(folder);
    await write(name, async (partial) => {
      const esbuild = require("esbuild");
      await esbuild.build({
        entryPoints: [path.join(pack, "index.ts")],
        outfile: partial,
        bundle: true,
        platform: "node",
        target: "node20",
        plugins: [{ name: "sdk", setup: lighten }],
        logLevel: "error",
      });
    });
  }
  return name;
}

/** Leaves out of the SDK what a pack never runs, and what it would do again for each rule. */
function lighten({ onLoad }) {
  const replace = (module, contents) => {
    const file = require.resolve(module);
    const filter = new RegExp(`^${file.replace(/[^\w/-]/g, "\\$&")}$`);
    onLoad({ filter }, () => ({
      contents: contents(file),
      loader: "js",
      resolveDir: path.dirname(file),
    }));
  };
  // All that a program makes resources with is two thirds of what the SDK loads; of it the server
  // takes assets. What the engine sends is never an Output.
  replace(
    "@pulumi/pulumi",
    () => `exports.asset = require("./asset"); exports.Output = { isInstance: () => false };`,
  );
  replace("@pulumi/pulumi/runtime/rpc", () => {
    const names = Object.entries(require("@pulumi/pulumi/runtime/rpc"));
    const constants = names.filter(([, value]) => typeof value === "string");
    return `module.exports = ${JSON.stringify(Object.fromEntries(constants))};`;
  });
  // The engine asks of each resource whether a rule would repair it. None does: what is not there is
  // answered without reading the resource. The verdict on the stack is the last that it asks for.
  replace(
    "@pulumi/pulumi/proto/analyzer_grpc_pb",
    (file) => `${fs.readFileSync(file, "utf8")}
      delete AnalyzerService.remediate;
      const { responseSerialize } = AnalyzerService.analyzeStack;
      AnalyzerService.analyzeStack.responseSerialize = (verdict) => {
        process.emit(${JSON.stringify(JUDGED)});
        return responseSerialize(verdict);
      };`,
  );
  // The server reads the same properties once for each rule.
  replace(
    "@pulumi/policy/deserialize",
    (file) => `${fs.readFileSync(file, "utf8")}
      const read = new WeakMap();
      exports.deserializeProperties = (properties, proxySecrets) => {
        if (proxySecrets) return deserializeProperties(properties, proxySecrets);
        if (!read.has(properties)) read.set(properties, deserializeProperties(properties, false));
        return read.get(properties);
      };`,
  );
}

/** Versions that nobody can be about to read. */
function removeOld(folder) {
  for (const file of fs.readdirSync(folder)) {
    const name = path.join(folder, file);
    const written = fs.statSync(name, { throwIfNoEntry: false })?.mtimeMs ?? 0;
    if (written < Date.now() - WEEK) fs.rmSync(name, { force: true });
  }
}

/** Another run may read the file, or write the same one. */
async function write(name, fill) {
  const partial = `${name}.${randomUUID()}`;
  await fill(partial);
  fs.renameSync(partial, name);
}

const filename = await bundle();
const compiled = `${filename}.cache`;
const cachedData = fs.existsSync(compiled) ? fs.readFileSync(compiled) : undefined;
// esbuild writes ASCII, which is read faster by its name.
const script = new vm.Script(Module.wrap(fs.readFileSync(filename, "latin1")), {
  filename,
  cachedData,
});
const main = { exports: {} };
script.runInThisContext()(main.exports, require, main, filename, pack);
// Another version of V8 refuses what this one kept. Not before the end, so that what judges resources is
// in it too, and not after the answer: the engine kills the pack then.
if (cachedData === undefined || script.cachedDataRejected) {
  const keep = () =>
    write(compiled, (partial) => fs.writeFileSync(partial, script.createCachedData()));
  process.once(JUDGED, keep);
}
