import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const tests = readdirSync(here("./test")).filter((name) => name.endsWith(".test.ts"));

/** Bundles the tests of the pure functions for `node --test`. */
export default defineConfig({
  resolve: { alias: { "@": here("./src") } },
  logLevel: "warn",
  build: {
    ssr: true,
    outDir: ".test",
    emptyOutDir: true,
    rollupOptions: { input: Object.fromEntries(tests.map((name) => [name.replace(/\.ts$/, ""), here(`./test/${name}`)])), output: { entryFileNames: "[name].mjs" } },
  },
});
