import eslint from "@eslint/js";
import prettier from "eslint-config-prettier";
import tseslint from "typescript-eslint";

const names = ["console", "module", "process", "require", "__dirname"];
const node = Object.fromEntries(
  names.map((name) => [name, name === "module" ? "writable" : "readonly"]),
);

export default tseslint.config(
  { ignores: ["node_modules/", ".local/", "reports/", ".stryker-tmp/"] },
  eslint.configs.recommended,
  ...tseslint.configs.recommended,
  prettier,
  { rules: { "@typescript-eslint/no-require-imports": ["error", { allowAsImport: true }] } },
  {
    files: ["**/*.mjs"],
    languageOptions: { globals: { process: "readonly", console: "readonly", URL: "readonly" } },
  },
  {
    files: ["**/*.cjs"],
    languageOptions: { sourceType: "commonjs", globals: node },
    rules: { "@typescript-eslint/no-require-imports": "off" },
  },
);
