import { createHash } from "node:crypto";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build, type Plugin } from "vite";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

const NOTICE = `/*! rrweb 2.1.6, https://github.com/rrweb-io/rrweb
Copyright (c) 2018 Contributors (https://github.com/rrweb-io/rrweb/graphs/contributors) and SmartX Inc.
With base64-arraybuffer, https://github.com/niklasvh/base64-arraybuffer, Copyright (c) 2012 Niklas von Hertzen. Both under the MIT licence:
Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files (the "Software"), to deal in the
Software without restriction, including without limitation the rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the
Software, and to permit persons to whom the Software is furnished to do so, subject to the following conditions: The above copyright notice and this permission
notice shall be included in all copies or substantial portions of the Software. THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED,
INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT
HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE
SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE. */
`;

/** The recorder reads a style of before as an attribute, which a page's `style-src` forbids and reports; by the object model it does not. */
function withoutInlineStyle(): Plugin {
  const [before, after] = ['old.setAttribute("style", m.oldValue)', "old.style.cssText = m.oldValue"];
  return {
    name: "tongping-inline-style",
    transform(code, id) {
      if (!id.includes("@rrweb/record/")) return null;
      if (!code.includes(before)) throw new Error(`${id}: not the recorder that this was made for`);
      return { code: code.replace(before, after), map: null };
    },
  };
}

/** One file without imports and exports, as a page of anybody's loads it. */
async function bundle(entry: string, define: Record<string, string>): Promise<string> {
  const made = await build({
    configFile: false,
    root: here("."),
    publicDir: false,
    plugins: [withoutInlineStyle()],
    logLevel: "warn",
    define,
    build: {
      write: false,
      target: "es2022",
      modulePreload: false,
      rolldownOptions: { input: here(`src/sdk/${entry}.ts`), output: { format: "iife", codeSplitting: false } },
    },
  });
  const [output] = [made].flat();
  const file = output !== undefined && "output" in output ? output.output[0] : undefined;
  if (file === undefined || file.type !== "chunk") throw new Error(`${entry}: nothing was built`);
  return file.code;
}

/** The script for the bank's pages, after everything else: `sdk/tongping.js`, and the recorder and what is loaded by need under names and digests that the first file knows. */
export function sdk(): Plugin {
  return {
    name: "tongping-sdk",
    apply: "build",
    async writeBundle({ dir }) {
      const folder = `${dir ?? here("dist")}/sdk`;
      const recorder = NOTICE + (await bundle("recorder", {}));
      const help = await bundle("help", {});
      const named = (name: string, text: string) => {
        const digest = createHash("sha384").update(text).digest();
        return { file: `${name}-${digest.toString("hex").slice(0, 12)}.js`, integrity: `sha384-${digest.toString("base64")}` };
      };
      const [ofRecorder, ofHelp] = [named("record", recorder), named("help", help)];
      const loader = await bundle("main", { __RECORDER__: JSON.stringify(ofRecorder), __HELP__: JSON.stringify(ofHelp) });
      await rm(folder, { recursive: true, force: true });
      await mkdir(folder, { recursive: true });
      await writeFile(`${folder}/${ofRecorder.file}`, recorder);
      await writeFile(`${folder}/${ofHelp.file}`, help);
      await writeFile(`${folder}/tongping.js`, loader);
    },
  };
}
