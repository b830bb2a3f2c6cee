import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";
import { pdfjs } from "./pdfjs.build";
import { sdk } from "./sdk.build";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** One page per kind of user, and the frame in which a customer's page is replayed; the server serves `stories.html` in development only. */
const pages = ["index", "agent", "review", "replay", "stories"].filter((name) => existsSync(here(`${name}.html`)));

export default defineConfig({
  root: here("."),
  base: "/",
  plugins: [sdk(), pdfjs()],
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    outDir: "dist",
    emptyOutDir: true,
    target: "es2022",
    // The pages' policy is default-src 'self': nothing inline, not even small files as data: URLs.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: { input: Object.fromEntries(pages.map((name) => [name, here(`${name}.html`)])) },
  },
});
