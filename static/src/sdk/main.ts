import { begin } from "./tongping";

const script = document.currentScript;
if (script instanceof HTMLScriptElement && !("Tongping" in window)) {
  const api = begin(script);
  if (api !== null) Object.defineProperty(window, "Tongping", { value: api, enumerable: true });
}
