/** The cards: the code to read to the agent, a question, a last word. */
import type { Scope, Viewer, Who } from "../../cobrowse.gen";
import type { Say } from "../words";
import { apartFrom } from "../clean";
import { CALM_MS, el, press } from "./dom";

function card(title: string | (Node | string)[], ...children: (Node | null)[]): { element: HTMLElement; heading: HTMLElement } {
  const heading = el("h2", { tabindex: "-1", id: "tp-title" }, ...[title].flat());
  const element = el("section", { class: "card", role: "dialog", "aria-labelledby": "tp-title" }, heading, ...children);
  return { element, heading };
}

export class CodeCard {
  readonly element: HTMLElement;
  private readonly heading: HTMLElement;
  private readonly digits = el("div", { class: "code", hidden: true });
  private readonly spoken = el("span", { class: "said" });
  private readonly left: HTMLElement;
  private timer: ReturnType<typeof setInterval> | undefined;

  constructor(
    private readonly say: Say,
    cancel: () => void,
  ) {
    this.left = el("p", { class: "soft" }, say("code.wait"));
    const made = card(
      say("code.title"),
      el("p", {}, say("code.read")),
      this.digits,
      this.spoken,
      this.left,
      el("p", { class: "soft" }, say("code.safe")),
      el("div", { class: "row" }, press(say("cancel"), cancel)),
    );
    this.element = made.element;
    this.heading = made.heading;
  }

  focus(): void {
    this.heading.focus({ preventScroll: true });
  }

  /** `seconds`: how long it still holds, 0 where that is not known. */
  show(code: string, seconds: number): void {
    clearInterval(this.timer);
    this.digits.hidden = code === "";
    this.digits.replaceChildren(...[code.slice(0, 3), code.slice(3)].map((part) => el("span", { "aria-hidden": "true" }, part)));
    this.spoken.textContent = code === "" ? "" : this.say("code.spoken", { digits: [...code].join(" ") });
    if (code === "") {
      this.left.textContent = this.say("code.wait");
      return;
    }
    const until = Date.now() + seconds * 1000;
    const tell = (): void => {
      const minutes = Math.floor((until - Date.now()) / 60_000);
      this.left.textContent = seconds <= 0 ? this.say("code.short") : minutes < 1 ? this.say("code.soon") : this.say("code.minutes", { n: minutes });
    };
    tell();
    this.timer = setInterval(tell, 5_000);
  }

  close(): void {
    clearInterval(this.timer);
    this.element.remove();
  }
}

export interface Question {
  viewer: Viewer;
  scope: Scope;
  seconds: number;
  who?: Who;
}

export class AskCard {
  readonly element: HTMLElement;
  private readonly heading: HTMLElement;
  private readonly timer: ReturnType<typeof setInterval>;
  private readonly before = document.activeElement;

  constructor(say: Say, bank: string, question: Question, answer: (given: boolean | null) => void) {
    const { viewer, scope, seconds, who: known } = question;
    const name = (viewer.name || say("someone")).replaceAll(" ", "\u00a0");
    const who = say("of", { name, bank: bank || say("the_bank") });
    const came = performance.now();
    const until = Date.now() + seconds * 1000;
    const left = el("p", { class: "soft" }, say("ask.left", { n: seconds }));
    const reply = (given: boolean) => (): void => {
      if (performance.now() - came >= CALM_MS) answer(given);
    };
    const made = card(
      apartFrom(say(`ask.${scope}`, { who }), [name]),
      known !== undefined && (scope === "view" || known === "other") ? el("p", {}, say(`ask.${known}`)) : null,
      el("p", { id: "tp-more" }, say(`ask.${scope}.more`)),
      el("p", { class: "soft" }, say("ask.stop")),
      left,
      el("div", { class: "choices" }, press(say("no"), reply(false)), press(say("yes"), reply(true))),
    );
    this.element = made.element;
    this.heading = made.heading;
    this.element.setAttribute("aria-describedby", "tp-more");
    this.element.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && event.isTrusted) {
        event.stopPropagation();
        reply(false)();
      }
    });
    this.timer = setInterval(() => {
      const n = Math.max(0, Math.round((until - Date.now()) / 1000));
      left.textContent = say("ask.left", { n });
      if (n === 0) answer(null);
    }, 1000);
  }

  focus(): void {
    this.heading.focus({ preventScroll: true });
  }

  /** For those who hear the page and are at something else. */
  get words(): string {
    return this.heading.textContent;
  }

  /** Whoever was at the card is led back; who is anywhere else by now stays there. */
  close(): void {
    clearInterval(this.timer);
    const here = this.element.contains((this.element.getRootNode() as Partial<ShadowRoot>).activeElement ?? null);
    this.element.remove();
    if (!here) return;
    if (this.before instanceof HTMLElement && this.before.isConnected) this.before.focus({ preventScroll: true });
  }
}

/** A last word, put away by a press or after a while. */
export function lastWord(say: Say, text: string, close: () => void): HTMLElement {
  return el("div", { class: "bar", role: "region", "aria-label": say("region") }, el("div", { class: "line" }, el("span", {}, text)), el("div", { class: "fixed" }, press(say("close"), close)));
}
