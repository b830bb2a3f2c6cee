/** How the files come that are loaded by need. */
import type { record } from "@rrweb/record";
import type { HelpFile } from "./help/parts";
import type { ImageDeps, Images, Recording } from "./images";
import type { options } from "./options";

/** `images`: those that rules let be seen. */
export type Record_ = typeof record & { options: typeof options; images?: (deps: ImageDeps, recording: Recording) => Images };
export type RecordOptions = NonNullable<Parameters<typeof record>[0]>;
/** The element in which the script's own page stands. */
export const OWN_TAG = "tongping-share";

interface File {
  file: string;
  integrity: string;
}
declare const __RECORDER__: File;
declare const __HELP__: File;
type Script = Pick<HTMLScriptElement, "src" | "nonce">;

export const recorderFrom = (script: Script): (() => Promise<Record_>) => fileFrom(script, () => __RECORDER__);
export const helpFrom = (script: Script): (() => Promise<HelpFile>) => fileFrom(script, () => __HELP__);

/** `script`: the one that was loaded; what it loads stands beside it and carries its nonce. */
function fileFrom<Given>(script: Script, which: () => File): () => Promise<Given> {
  let found: Promise<Given> | null = null;
  return () => {
    found ??= new Promise<Given>((resolve, reject) => {
      const { file, integrity } = which();
      const element = document.createElement("script") as HTMLScriptElement & { tongping?: (given: Given) => void };
      element.tongping = resolve;
      element.nonce = script.nonce;
      element.crossOrigin = "anonymous";
      element.integrity = integrity;
      element.onerror = () => reject(new Error(`${file} cannot be loaded`));
      element.onload = () => element.remove();
      element.src = trusted(new URL(file, script.src).href);
      document.head.append(element);
    });
    found.catch(() => (found = null));
    return found;
  };
}

interface TrustedTypes {
  createPolicy(name: string, rules: { createScriptURL(url: string): string }): { createScriptURL(url: string): string };
}
let policy: ReturnType<TrustedTypes["createPolicy"]> | null = null;

/** For pages that require trusted types; their policy has to name `tongping`. */
function trusted(url: string): string {
  const types = (window as { trustedTypes?: TrustedTypes }).trustedTypes;
  if (types === undefined) return url;
  policy ??= types.createPolicy("tongping", { createScriptURL: (given) => given });
  return policy.createScriptURL(url);
}
