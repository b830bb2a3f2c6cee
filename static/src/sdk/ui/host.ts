/** Where the script's own page stands: one element beside the bank's page, with a closed shadow root, above all else. Inside an open modal dialog or what fills the
 * screen, as everything outside of these cannot be pressed. */
import { OWN_TAG } from "../recording";
import type { Language } from "../words";
import { el } from "./dom";
import { sheet } from "./styles";

const LOOK_MS = 500;

export class Host {
  /** What is drawn on the page; cannot be pressed. */
  readonly layer = el("div", { class: "layer", "aria-hidden": "true" });
  /** The bar and cards at the edge. */
  readonly panel = el("div", { class: "panel" });
  readonly root: HTMLElement;
  private readonly element = document.createElement(OWN_TAG);
  private readonly polite = el("div", { class: "said", role: "status" });
  private readonly urgent = el("div", { class: "said", role: "alert" });
  private readonly watch = new MutationObserver(() => this.mount());
  private readonly onFullscreen = (): void => this.mount();
  private timer: ReturnType<typeof setInterval> | undefined;

  constructor(language: Language) {
    this.root = el("div", { class: "root", lang: language === "zh" ? "zh-CN" : "en" }, this.layer, this.panel, this.polite, this.urgent);
    const shadow = this.element.attachShadow({ mode: "closed" });
    shadow.adoptedStyleSheets = [sheet()];
    shadow.append(this.root);
  }

  get shown(): boolean {
    return this.timer !== undefined;
  }

  show(): void {
    if (this.shown) return;
    this.timer = setInterval(() => this.mount(), LOOK_MS);
    this.watch.observe(document.documentElement, { subtree: true, attributes: true, attributeFilter: ["open"] });
    document.addEventListener("fullscreenchange", this.onFullscreen);
    this.mount();
  }

  hide(): void {
    clearInterval(this.timer);
    this.timer = undefined;
    this.watch.disconnect();
    document.removeEventListener("fullscreenchange", this.onFullscreen);
    this.element.remove();
  }

  /** For those who hear the page. */
  say(text: string, urgent = false): void {
    (urgent ? this.urgent : this.polite).textContent = text;
  }

  private mount(): void {
    if (!this.shown) return;
    const where = place();
    if (this.element.parentNode !== where) where.append(this.element);
    if (typeof this.element.showPopover !== "function") return;
    this.element.setAttribute("popover", "manual");
    if (!this.element.matches(":popover-open")) this.element.showPopover();
  }
}

function place(): Element {
  if (document.fullscreenElement !== null && document.fullscreenElement !== undefined) return document.fullscreenElement;
  const dialogs = [...document.querySelectorAll("dialog[open]")].filter((one) => one.matches(":modal"));
  return dialogs.at(-1) ?? document.documentElement;
}
