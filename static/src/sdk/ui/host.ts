/** Where the script's own page stands: one element beside the bank's page, with a closed shadow root, above all else. Inside an open modal dialog, as
 * nothing outside of it can be pressed. */
import { OWN_TAG } from "../recording";
import type { Language } from "../words";
import { el } from "./dom";
import { sheet } from "./styles";

const LOOK_MS = 500;
/** Looks in which the bar could not be reached, before it counts. */
const LOST = 4;

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
  private readonly onFullscreen = (): void => {
    if (this.isPopover && this.element.matches(":popover-open")) this.element.hidePopover(); // shown anew, it stands above what fills the screen
    this.mount();
  };
  /** Escape leads from the page, or the bar, to the card that waits, and is the page's all the same. */
  private readonly onKey = (event: KeyboardEvent): void => {
    if (event.key !== "Escape" || !event.isTrusted || event.isComposing || (this.shadow.activeElement?.closest(".card, .ghost") ?? null) !== null) return;
    this.root.querySelector<HTMLElement>(".card h2[tabindex], .card button, .ghost button")?.focus({ preventScroll: true });
  };
  private readonly shadow: ShadowRoot;
  /** At the end of the page, as high as the bar. */
  private room = "";
  /** A dialog in which it can be reached, where it cannot be in the one that stands last. */
  private refuge: Element | null = null;
  private missed = 0;
  /** The customer can neither pause nor stop by it. */
  onLost: () => void = () => undefined;
  private timer: ReturnType<typeof setInterval> | undefined;

  constructor(language: Language) {
    this.root = el("div", { class: "root", lang: language === "zh" ? "zh-CN" : "en" }, this.layer, this.panel, this.polite, this.urgent);
    this.shadow = this.element.attachShadow({ mode: "closed" });
    this.shadow.adoptedStyleSheets = [sheet()];
    this.shadow.append(this.root);
  }

  get shown(): boolean {
    return this.timer !== undefined;
  }

  show(): void {
    if (this.shown) return;
    this.timer = setInterval(() => this.mount(), LOOK_MS);
    this.watch.observe(document.documentElement, { subtree: true, attributes: true, attributeFilter: ["open"] });
    document.addEventListener("fullscreenchange", this.onFullscreen);
    addEventListener("keydown", this.onKey, true);
    this.mount();
  }

  hide(): void {
    clearInterval(this.timer);
    this.timer = undefined;
    this.watch.disconnect();
    document.removeEventListener("fullscreenchange", this.onFullscreen);
    removeEventListener("keydown", this.onKey, true);
    this.clear();
    this.element.remove();
  }

  /** For those who hear the page. */
  say(text: string, urgent = false): void {
    (urgent ? this.urgent : this.polite).textContent = text;
  }

  /** The end of the page can be scrolled out from under the bar, and what has the focus does not come to lie under it. */
  private clear(): void {
    const height = this.shown ? (this.panel.querySelector<HTMLElement>(".bar")?.offsetHeight ?? 0) : 0;
    const room = height > 0 ? `${height + 24}px` : "";
    if (room === this.room) return;
    const { style } = document.documentElement;
    this.room = style.paddingBottom = style.scrollPaddingBottom = room;
  }

  private mount(): void {
    if (!this.shown) return;
    this.clear();
    const where = this.place();
    if (this.refuge?.isConnected === false) this.refuge = null;
    this.put(this.refuge ?? where);
    if (this.isReached()) {
      this.missed = 0;
      return;
    }
    for (const one of modals(document).reverse()) {
      this.put(one);
      if (!this.isReached()) continue;
      this.refuge = one === where ? null : one;
      this.missed = 0;
      return;
    }
    this.refuge = null;
    this.put(where);
    if (this.isReached()) this.missed = 0;
    else if (++this.missed === LOST) this.onLost();
  }

  private get isPopover(): boolean {
    return typeof this.element.showPopover === "function";
  }

  private put(where: Element): void {
    if (this.element.parentNode !== where) where.append(this.element);
    if (!this.isPopover) return;
    this.element.setAttribute("popover", "manual");
    if (!this.element.matches(":popover-open")) this.element.showPopover();
  }

  private place(): Element {
    const full = document.fullscreenElement;
    if (full !== null && full !== undefined && !this.isPopover) return full;
    const dialogs = [...document.querySelectorAll("dialog[open]")].filter((one) => one.matches(":modal"));
    return dialogs.at(-1) ?? document.documentElement;
  }

  /** Whether a press on the middle of what stands lowest would come here. */
  private isReached(): boolean {
    const lowest = this.panel.lastElementChild;
    if (lowest === null || typeof this.shadow.elementFromPoint !== "function" || document.visibilityState !== "visible") return true;
    const { left, top, width, height } = lowest.getBoundingClientRect();
    const [x, y] = [left + width / 2, top + height / 2];
    if (width > 0 && (x < 0 || y < 0 || x >= innerWidth || y >= innerHeight)) return true; // not to be found out
    return width > 0 && this.root.contains(this.shadow.elementFromPoint(x, y));
  }
}

/** Also in shadow roots, where they are open; in the order in which they stand. */
function modals(root: Document | ShadowRoot): Element[] {
  return [...root.querySelectorAll("*")].flatMap((one) => [
    ...(one.localName === "dialog" && one.hasAttribute("open") && one.matches(":modal") ? [one] : []),
    ...(one.shadowRoot === null ? [] : modals(one.shadowRoot)),
  ]);
}
