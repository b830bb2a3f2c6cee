/** The bar: who looks, what they may do, and how it ends. All that it shows comes in one `BarView`. */
import type { Scope, Viewer } from "../../cobrowse.gen";
import type { Say } from "../words";
import { apartFrom } from "../clean";
import { el, press } from "./dom";

/** Cut, and so on: what the line says. `preparing`: the first picture is on its way. */
export type Line = "attached" | "watch" | "paused" | "hidden" | "elsewhere" | "cut" | "preparing";

export interface BarView {
  line: Line;
  viewers: readonly Viewer[];
  paused: boolean;
  seen: boolean;
  /** Nothing of the page is shown by the rules. */
  nothing: boolean;
}

export interface BarActs {
  pause(paused: boolean): void;
  stop(): void;
  take(): void;
  withdraw(viewer: Viewer, scope: Scope): void;
  seen(on: boolean): void;
}

const LADDER: readonly Scope[] = ["view", "point", "scroll", "fill", "click"];
const CONTROL: readonly Scope[] = ["scroll", "fill", "click"];

export class Bar {
  readonly element: HTMLElement;
  private readonly line = el("span");
  private readonly who = el("ul", { class: "who", hidden: true });
  private readonly note = el("span", { class: "note", hidden: true });
  private readonly tools = el("div", { class: "tools" });
  private readonly pause: HTMLButtonElement;
  private readonly seen: HTMLButtonElement;
  private readonly take: HTMLButtonElement;
  private readonly more: HTMLButtonElement;
  private view: BarView | null = null;
  private open = false;
  private said = "";

  constructor(
    private readonly say: Say,
    private readonly acts: BarActs,
    private readonly announce: (text: string) => void,
  ) {
    this.pause = press(say("pause"), () => this.acts.pause(this.view?.paused !== true));
    this.seen = press(say("seen"), () => this.acts.seen(this.view?.seen !== true), { "aria-pressed": "false", class: "aside" });
    this.take = press(say("take"), () => this.acts.take());
    this.more = press(say("more"), () => this.unfold(!this.open), { "aria-expanded": "false" });
    const stop = press(say("stop"), () => this.acts.stop(), { class: "end" });
    this.tools.append(this.take, this.pause, this.seen);
    this.element = el(
      "div",
      { class: "bar", role: "region", "aria-label": say("region") },
      el("div", { class: "line" }, el("span", { class: "dot" }), el("span", {}, this.line, this.note)),
      this.tools,
      el("div", { class: "fixed" }, this.more, stop),
      this.who,
    );
  }

  show(view: BarView): void {
    const { say } = this;
    this.view = view;
    const names = view.viewers.map(({ name }) => name).join(say("comma")) || say("someone");
    const many = view.viewers.length > 1;
    const text =
      view.line === "watch" ? say(many ? "bar.watch.many" : "bar.watch", { names })
      : view.line === "hidden" ? say(many ? "bar.hidden.many" : "bar.hidden", { names })
      : say(`bar.${view.line}`);
    if (text !== this.said) {
      this.said = text;
      this.line.replaceChildren(...apartFrom(text, view.viewers.map(({ name }) => name)));
      this.announce(text);
    }
    const watched = view.line === "watch";
    this.element.classList.toggle("live", watched);
    this.element.classList.toggle("warn", view.line === "cut");
    this.pause.textContent = say(view.paused ? "resume" : "pause");
    this.pause.hidden = view.viewers.length === 0 && !view.paused;
    this.seen.textContent = say(view.seen ? "seen.off" : "seen");
    this.seen.setAttribute("aria-pressed", String(view.seen));
    this.seen.hidden = view.line === "elsewhere" || view.line === "attached";
    this.take.hidden = !view.viewers.some(({ granted }) => CONTROL.some((scope) => granted.includes(scope)));
    this.more.hidden = view.viewers.length === 0;
    this.note.textContent = say(!view.seen ? "bar.hides" : view.nothing ? "seen.all" : "seen.note");
    this.note.hidden = !view.seen && !watched;
    this.list(view.viewers);
    this.unfold(this.open && view.viewers.length > 0);
  }

  private unfold(open: boolean): void {
    this.open = open;
    this.element.classList.toggle("open", open || this.view?.seen === true);
    this.more.setAttribute("aria-expanded", String(open));
    this.more.textContent = this.say(open ? "less" : "more");
    this.who.hidden = !open;
  }

  /** Each scope is a button that takes it back. Made anew only where it is another: the keyboard stays where it is. */
  private list(viewers: readonly Viewer[]): void {
    const key = JSON.stringify(viewers);
    if (this.who.dataset["key"] === key) return;
    this.who.dataset["key"] = key;
    this.who.replaceChildren(
      ...viewers.map((viewer) => {
        const { say } = this;
        const buttons = LADDER.filter((scope) => viewer.granted.includes(scope)).map((scope) => {
          const what = say(`may.${scope}`);
          return press(what, () => this.acts.withdraw(viewer, scope), { "aria-label": say("may.takes", { what, name: viewer.name }) });
        });
        return el("li", {}, el("span", {}, ...apartFrom(say("may", { name: viewer.name, what: "" }).trim(), [viewer.name])), ...buttons);
      }),
    );
  }
}
