import { svelte } from "@sveltejs/vite-plugin-svelte";
import { fileURLToPath } from "node:url";
import { defineConfig, type Plugin } from "vite";

const path = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** Nothing in a script that stands in a page may look like the end of it, or like a comment of HTML. */
const inert: Plugin = {
  name: "inert-in-html",
  generateBundle(_options, bundle) {
    for (const file of Object.values(bundle))
      if (file.type === "chunk")
        file.code = file.code.replaceAll("<!--", "\\x3C!--").replaceAll(/<(\/?script)/gi, "\\x3C$1");
  },
};

// One script and one style, which the client writes into the one-file report of an explanation.
export default defineConfig({
  plugins: [svelte(), inert],
  build: {
    outDir: path("../../python/sequela_client/pages/bundle"),
    emptyOutDir: true,
    target: "es2022",
    cssTarget: ["chrome123", "firefox120", "safari17.5"], // the first with light-dark()
    reportCompressedSize: false,
    lib: {
      entry: path("src/report.ts"),
      formats: ["iife"],
      name: "report",
      fileName: () => "report.js",
      cssFileName: "report",
    },
  },
});
