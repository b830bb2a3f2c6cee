import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { el } from "./ui/dom";
import { Host } from "./ui/host";

let host: Host;
let reached: (parent: Element) => boolean;
let mine: ShadowRoot;
beforeEach(() => {
  vi.useFakeTimers();
  vi.spyOn(Element.prototype, "getBoundingClientRect").mockReturnValue({ left: 0, top: 0, right: 100, bottom: 20, width: 100, height: 20, x: 0, y: 0, toJSON: () => null });
  const { matches } = Element.prototype;
  vi.spyOn(Element.prototype, "matches").mockImplementation(function (this: Element, selector) {
    return selector === ":modal" ? this.localName === "dialog" : matches.call(this, selector);
  });
  document.body.innerHTML = "<div id=one></div>";
  host = new Host("en");
  host.panel.append(el("button"));
  const at = (): Element => mine.host.parentElement ?? (mine.host.getRootNode() as ShadowRoot).host;
  const attached = host.root.getRootNode() as ShadowRoot;
  mine = attached;
  Object.defineProperty(mine, "elementFromPoint", { value: () => (reached(at()) ? host.panel : null) });
});
afterEach(() => {
  host.hide();
  vi.useRealTimers();
});

it("goes into a modal dialog in a shadow root where it cannot be reached otherwise, and comes back", () => {
  const dialog = el("dialog", { open: true });
  document.getElementById("one")!.attachShadow({ mode: "open" }).append(dialog);
  reached = (parent) => parent === dialog;
  host.show();
  expect(mine.host.parentElement).toBe(dialog);
  reached = (parent) => parent === document.documentElement;
  dialog.remove();
  vi.advanceTimersByTime(600);
  expect(mine.host.parentElement).toBe(document.documentElement);
});

it("of several that are open the one in which it is reached, not the last in the page", () => {
  const [first, last] = [el("dialog", { open: true }), el("dialog", { open: true })];
  document.body.append(first, last);
  reached = (parent) => parent === first;
  host.show();
  vi.advanceTimersByTime(3000);
  expect(mine.host.parentElement).toBe(first);
});

it("says once that it is lost", () => {
  const lost = vi.fn();
  host.onLost = lost;
  reached = () => false;
  host.show();
  expect(lost).not.toHaveBeenCalled();
  vi.advanceTimersByTime(10_000);
  expect(lost).toHaveBeenCalledOnce();
});

const escape = (at: Element, part: Partial<Record<"isTrusted" | "isComposing", boolean>> = {}): void => {
  const event = new KeyboardEvent("keydown", { key: "Escape", bubbles: true, composed: true, cancelable: true });
  for (const [name, value] of Object.entries({ isTrusted: true, ...part })) Object.defineProperty(event, name, { value });
  at.dispatchEvent(event);
  expect(event.defaultPrevented).toBe(false);
};

it("Escape leads from the page to the card that waits: to a question's title, else to the first button", () => {
  const field = el("input");
  document.body.append(field);
  const [title, no] = [el("h2", { tabindex: "-1" }), el("button")];
  const card = el("section", { class: "card" }, el("h2"), no);
  reached = () => true;
  host.panel.append(card);
  host.show();
  field.focus();
  escape(field, { isTrusted: false });
  escape(field, { isComposing: true });
  expect(mine.activeElement).toBe(null);
  escape(field);
  expect(mine.activeElement).toBe(no);
  escape(no);
  expect(mine.activeElement).toBe(no);
  const pause = el("button");
  host.panel.append(el("div", { class: "bar" }, pause));
  pause.focus();
  escape(pause);
  expect(mine.activeElement).toBe(no);
  card.prepend(title);
  field.focus();
  escape(field);
  expect(mine.activeElement).toBe(title);
  host.hide();
  field.focus();
  escape(field);
  expect(document.activeElement).toBe(field);
});

it("the end of the page is as far away as the bar is high, as long as it stands there", () => {
  vi.spyOn(HTMLElement.prototype, "offsetHeight", "get").mockReturnValue(100);
  const { style } = document.documentElement;
  reached = () => true;
  host.show();
  expect(style.paddingBottom).toBe("");
  host.panel.append(el("div", { class: "bar" }));
  vi.advanceTimersByTime(600);
  expect([style.paddingBottom, style.scrollPaddingBottom]).toEqual(["124px", "124px"]);
  host.hide();
  expect([style.paddingBottom, style.scrollPaddingBottom]).toEqual(["", ""]);
});
