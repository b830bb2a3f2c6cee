import { cp, mkdir, readdir } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import type { Plugin } from "vite";

const require = createRequire(import.meta.url);
const HERE = dirname(require.resolve("pdfjs-dist/package.json"));
const { version } = require("pdfjs-dist/package.json") as { version: string };
/** Character maps for texts whose fonts do not bring their own, such as Chinese ones; the fourteen fonts that every reader has; decoders in plain script. */
const TAKEN: Readonly<Record<string, RegExp>> = { cmaps: /\.bcmap$|^LICENSE/, standard_fonts: /\.(pfb|ttf)$|^LICENSE/, wasm: /_nowasm_fallback\.js$|^LICENSE_(PDFJS_)?(OPENJPEG|JBIG2)$/ };

/** What pdf.js fetches by name, under a folder with its version: what has a name there never changes. */
export function pdfjs(): Plugin {
  return {
    name: "tongping-pdfjs",
    apply: "build",
    async writeBundle({ dir }) {
      const folder = `${dir ?? "dist"}/assets/pdfjs-${version}`;
      await mkdir(folder, { recursive: true });
      await cp(`${HERE}/LICENSE`, `${folder}/LICENSE`);
      for (const [from, wanted] of Object.entries(TAKEN)) {
        for (const name of (await readdir(`${HERE}/${from}`)).filter((one) => wanted.test(one))) await cp(`${HERE}/${from}/${name}`, `${folder}/${name}`);
      }
    },
  };
}
