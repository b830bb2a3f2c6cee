/** What the recorder is asked to leave out by itself, in its own file. */
import type { Masking } from "./masking";
import type { RecordOptions } from "./recording";

/** `own`: the name of the element in which the script's own page stands. */
export function options(masking: Masking, own: string): Omit<RecordOptions, "emit"> {
  return {
    maskAllInputs: true,
    maskTextSelector: "*",
    maskTextFn: (text, element) => masking.text(text, element),
    maskInputFn: (text, element) => masking.value(text, element),
    blockClass: /(?!)/,
    blockSelector: [own, ...masking.page.blocked].join(","),
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
