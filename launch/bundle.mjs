/** Writes the file that load.cjs runs: `node bundle.mjs '{"modules": {NAME: FILE}, "replace": FILE}' OUTFILE`. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { build } from "esbuild";

const [given, outfile] = process.argv.slice(2);
const { modules, replace } = JSON.parse(given);
const { replacements } = await import(replace);

const getters = Object.entries(modules).map(
  ([name, file]) => `exports[${JSON.stringify(name)}] = () => require(${JSON.stringify(file)});`,
);

/** The file of each module that has a folder of its own is found from there, as without a bundle. */
const ownFolders = {
  name: "own-folders",
  setup({ onLoad }) {
    onLoad({ filter: /\.ts$/ }, ({ path: file }) => {
      if (file.includes("/node_modules/")) return undefined;
      const text = readFileSync(file, "utf8");
      const folder = `const __dirname = ${JSON.stringify(path.dirname(file))};`;
      // On the first line: the others keep their numbers.
      return { contents: text.includes("__dirname") ? `${folder} ${text}` : text, loader: "ts" };
    });
  },
};

const libraries = {
  name: "libraries",
  setup({ onLoad }) {
    for (const [file, contents] of Object.entries(replacements())) {
      const filter = new RegExp(`^${file.replace(/[^\w/-]/g, "\\$&")}$`);
      onLoad({ filter }, () => ({ contents, loader: "js", resolveDir: path.dirname(file) }));
    }
  },
};

try {
  await build({
    stdin: { contents: getters.join("\n"), resolveDir: process.cwd() },
    outfile,
    bundle: true,
    platform: "node",
    target: "node20",
    sourcemap: "external",
    sourcesContent: false,
    external: ["typescript", "ts-node"],
    plugins: [ownFolders, libraries],
    logLevel: "error",
  });
} catch {
  // It has said why.
  process.exitCode = 1;
}
