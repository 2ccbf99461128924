import react from "@vitejs/plugin-react";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

/** `TOLLKEEPER_DEV_API=http://127.0.0.1:8420 npm run dev` puts the development server before a running Tollkeeper. */
const api = process.env.TOLLKEEPER_DEV_API ?? "http://127.0.0.1:8420";

export default defineConfig({
  plugins: [react()],
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  server: { host: "127.0.0.1", proxy: { "/api": api, "/v1": api, "/health": api } },
  build: {
    outDir: "../src/tollkeeper/web/_ui",
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 900,
    license: { fileName: "third-party-licenses.md" },
  },
});
