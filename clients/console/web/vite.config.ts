import { svelte } from "@sveltejs/vite-plugin-svelte";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const path = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

export default defineConfig({
  plugins: [svelte()],
  // The bundle is committed, so that nobody needs node to run the console, and so that it is the same on every machine.
  build: {
    outDir: path("../sequela_console/static"),
    emptyOutDir: true,
    assetsInlineLimit: 0, // the content security policy has no data: URLs for scripts and styles
    modulePreload: { polyfill: false },
    target: "es2022",
    cssTarget: ["chrome123", "firefox120", "safari17.5"], // the first with light-dark()
    reportCompressedSize: false,
    rollupOptions: { input: { index: path("index.html"), embed: path("embed.html") } },
  },
  worker: { format: "es" },
  // Tests run in node, where Svelte would otherwise give its server half.
  ...(process.env["VITEST"] ? { resolve: { conditions: ["browser"] } } : {}),
  server: { proxy: { "/api": "http://127.0.0.1:8050" } },
  test: { include: ["src/**/*.test.ts"], environment: "node" },
});
