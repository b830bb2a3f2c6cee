/** The page's own state about the customer's page: what is shown and which tool is in the hand. Nothing here is known to the server. */
import { signal } from "@preact/signals";
import type { Signal } from "@preact/signals";
import { viewerOf } from "../../../core/cobrowse";
import type { Scope } from "../../../cobrowse.gen";
import type { Call } from "../../../core/model";
import type { Picked, Tool, Zoom } from "../../../replay/messages";
import type { CallUi } from "../ui";

export interface PageUi {
  /** The customer's page stands where the pictures are otherwise. */
  readonly shown: Signal<boolean>;
  readonly tool: Signal<Tool>;
  readonly zoom: Signal<Zoom>;
  readonly scale: Signal<number>; // as it is drawn now
  readonly fills: Signal<(Picked & { page: number }) | null>; // the field that a form is open for
  readonly hint: Signal<"not_field" | null>;
  readonly wrong: Signal<readonly Picked[]>; // fields in error that the picture has
  readonly sought: Signal<{ readonly node: number } | null>; // the one that was asked for last
}

export function pageUi(shown = false, tool: Tool = "none", fills: (Picked & { page: number }) | null = null): PageUi {
  return { shown: signal(shown), tool: signal<Tool>(tool), zoom: signal<Zoom>("fit"), scale: signal(1), fills: signal(fills), hint: signal(null), wrong: signal([]), sought: signal(null) };
}

/** Members of staff whose server says so. */
export function mayLook(call: Call): boolean {
  return call.grants.value.has("cobrowse.view");
}

/** Those who lead type the code. */
export function mayAttach(call: Call): boolean {
  const role = call.me.value?.role;
  return mayLook(call) && (role === "agent" || role === "supervisor");
}

export function may(call: Call, scope: Scope): boolean {
  return viewerOf(call.cobrowse.state.value)?.granted.includes(scope) === true;
}

/** What lets a tool be used, each of them by itself: a value is proposed by who may point. */
export function needs(tool: Tool): readonly Scope[] {
  if (tool === "fill") return ["point", "fill"];
  return [tool === "scroll" || tool === "click" ? tool : "point"];
}

export type Situation = "none" | "connecting" | "over" | "ended" | "look" | "asked" | "refused" | "gone" | "hidden" | "paused" | "coming" | "seen";

/** What there is to say about the page now, the most telling first. */
export function situation(call: Call): Situation {
  const { share, line, ended, state, refused, pictured } = call.cobrowse;
  if (line.value === "over") return ended.value === "ended" ? "ended" : "over";
  if (share.value === null) return "none";
  const now = state.value;
  if (now === null) return "connecting";
  if (now.waits_for.includes("view")) return "asked";
  if (!may(call, "view")) return refused.value.has("view") ? "refused" : "look";
  if (now.hidden) return "hidden";
  if (now.state === "paused") return "paused";
  if (!now.front) return "gone";
  return pictured.value ? "seen" : "coming";
}

/** To the customer's page, and back to the pictures; beside it, where there is room, what goes with it. */
export function togglePage(ui: CallUi): void {
  const shown = !ui.page.shown.peek();
  ui.page.shown.value = shown;
  if (!shown) {
    ui.page.tool.value = "none";
    ui.page.fills.value = null;
    if (ui.panel.peek() === "cobrowse") ui.panel.value = isBroad() ? "context" : "none";
  } else if (isBroad()) ui.panel.value = "cobrowse";
}

function isBroad(): boolean {
  return matchMedia("(min-width: 1024px)").matches;
}
