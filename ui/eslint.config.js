import js from "@eslint/js";
import hooks from "eslint-plugin-react-hooks";
import { defineConfig, globalIgnores } from "eslint/config";
import typescript from "typescript-eslint";

/** Types are looked at too: a promise nobody waits for or a condition that is always true is an error. */
export default defineConfig(
  globalIgnores([".test/"]),
  { linterOptions: { reportUnusedDisableDirectives: "error" } },
  js.configs.recommended,
  { files: ["public/**/*.js"], languageOptions: { sourceType: "script", globals: { document: "readonly", window: "readonly", localStorage: "readonly", matchMedia: "readonly" } } },
  {
    files: ["**/*.{ts,tsx}"],
    extends: [typescript.configs.strictTypeChecked, hooks.configs.flat["recommended-latest"]],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      "@typescript-eslint/no-floating-promises": ["error", { allowForKnownSafeCalls: [{ from: "package", name: "test", package: "node:test" }] }],
      "@typescript-eslint/only-throw-error": ["error", { allow: [{ from: "package", name: "Redirect", package: "@tanstack/router-core" }] }],
      "react-hooks/exhaustive-deps": "error",
      // These are for the React compiler, which this dashboard does without.
      "react-hooks/incompatible-library": "off",
    },
  },
);
