/** How the recorder is asked to record, and how its file comes. */
import type { record } from "@rrweb/record";
import type { Masking } from "./masking";

export type Record_ = typeof record;
export type RecordOptions = NonNullable<Parameters<Record_>[0]>;
/** The element in which the script's own page stands. */
export const OWN_TAG = "tongping-share";

declare const __RECORDER__: { file: string; integrity: string };

/** `script`: the one that was loaded; what it loads stands beside it and carries its nonce. */
export function recorderFrom(script: Pick<HTMLScriptElement, "src" | "nonce">): () => Promise<Record_> {
  let found: Promise<Record_> | null = null;
  return () => {
    found ??= new Promise<Record_>((resolve, reject) => {
      const element = document.createElement("script") as HTMLScriptElement & { tongping?: (given: Record_) => void };
      element.tongping = resolve;
      element.nonce = script.nonce;
      element.crossOrigin = "anonymous";
      element.integrity = __RECORDER__.integrity;
      element.onerror = () => reject(new Error("the recorder cannot be loaded"));
      element.onload = () => element.remove();
      element.src = trusted(new URL(__RECORDER__.file, script.src).href);
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

export function options(masking: Masking): Omit<RecordOptions, "emit"> {
  return {
    maskAllInputs: true,
    maskTextSelector: "*",
    maskTextFn: (text, element) => masking.text(text, element),
    maskInputFn: (text, element) => masking.value(text, element),
    blockClass: /(?!)/,
    blockSelector: [OWN_TAG, ...masking.page.blocked].join(","),
    ignoreClass: "tongping-ignore",
    slimDOMOptions: "all",
    inlineStylesheet: true,
    inlineImages: false,
    recordCanvas: false,
    recordCrossOriginIframes: false,
    collectFonts: false,
    userTriggeredOnInput: true,
    recordAfter: "DOMContentLoaded",
    sampling: { mousemove: 50, mousemoveCallback: 100, scroll: 100, media: 800, input: "last" },
  };
}
