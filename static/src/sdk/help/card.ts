/** A card that asks for nothing at once: it takes no focus. */
import { apartFrom, clean } from "../clean";
import { CALM_MS, el, press } from "../ui/dom";

export interface Choice {
  words: string;
  run(): void;
}

/** `names`: set apart in the title. Two choices are equally large. */
export function calm(title: string, names: readonly string[], texts: readonly (string | Node)[], choices: readonly Choice[], row = "choices"): HTMLElement {
  const came = performance.now();
  const buttons = choices.map(({ words, run }) => press(words, () => void (performance.now() - came >= CALM_MS && run())));
  const heading = el("h2", { id: "tp-help" }, ...apartFrom(title, names));
  return el("section", { class: "card", role: "region", "aria-labelledby": "tp-help" }, heading, ...texts.map((one) => el("p", {}, one)), buttons.length > 0 ? el("div", { class: row }, ...buttons) : null);
}

export function nameOf(name: string, someone: string): string {
  return (clean(name) || someone).replaceAll(" ", "\u00a0");
}
