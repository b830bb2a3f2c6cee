/** What a viewer does in the page. Everything is judged once more here: the server may be wrong, and the customer's own input always wins. */
import type { Act, ActOutcome, Scope, Viewer } from "../cobrowse.gen";
import { isClean } from "./clean";
import { isOnTop, mayClick, mayFill, mayScroll } from "./fields";
import type { Field, Masking } from "./masking";

/** So long after a key in a field nobody else fills it. */
export const TYPING_MS = 5_000;
/** A proposal that is not answered is put away. */
export const PROPOSAL_MS = 58_000;
const NEEDS: Readonly<Record<Act["kind"], Scope>> = { scroll: "scroll", fill: "fill", click: "click", propose: "point" };

export interface Proposal {
  act: string;
  viewer: Viewer;
  field: Field;
  value: string;
  /** What the customer reads: of a list of choices the words, not the value. */
  words: string;
}

export interface ActsDeps {
  masking: Masking;
  page(): number;
  node(id: number): Node | null;
  /** One who may look now, else null. */
  viewer(id: string): Viewer | null;
  /** Whether the page is shared at this moment. */
  live(): boolean;
  done(act: string, outcome: ActOutcome): void;
  /** Says to the customer who did what, and where. */
  tell(viewer: Viewer, kind: Act["kind"], element: Element): void;
  /** The card beside the field; null puts it away. */
  propose(proposal: Proposal | null): void;
}

export class Acts {
  private open: Proposal | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private readonly typed = new WeakMap<EventTarget, number>();
  private readonly onInput = (event: Event): void => {
    const target = event.composedPath()[0];
    if (!event.isTrusted || target === undefined) return;
    this.typed.set(target, performance.now());
    if (this.open?.field === target) this.answer(false);
  };

  constructor(private readonly deps: ActsDeps) {}

  start(): void {
    for (const kind of ["input", "keydown", "compositionstart", "paste"]) document.addEventListener(kind, this.onInput, { capture: true, passive: true });
  }

  stop(): void {
    for (const kind of ["input", "keydown", "compositionstart", "paste"]) document.removeEventListener(kind, this.onInput, { capture: true });
    this.answer(false);
  }

  /** Puts away what was proposed by somebody who may not any more. */
  changed(): void {
    const open = this.open;
    if (open !== null && (!this.deps.live() || !this.granted(open.viewer.id, NEEDS.propose))) this.answer(false);
  }

  take(act: Act): void {
    const outcome = this.outcome(act);
    if (outcome !== null) this.deps.done(act.act, outcome);
  }

  /** The customer's answer to the proposal that is open. */
  answer(accepted: boolean): void {
    const open = this.open;
    if (open === null) return;
    this.open = null;
    clearTimeout(this.timer);
    this.deps.propose(null);
    if (!accepted) this.deps.done(open.act, "dismissed");
    else if (!open.field.isConnected) this.deps.done(open.act, "gone");
    else {
      const may = this.deps.live() && this.granted(open.viewer.id, NEEDS.propose) && this.may(() => mayFill(open.field, this.deps.masking));
      const same = fits(open.field, open.value, this.deps.masking) === open.words; // a list may have other choices by now than those that were read
      this.deps.done(open.act, may && same && fill(open.field, open.value, this.deps.masking) ? "done" : "refused");
      open.field.focus({ preventScroll: true });
    }
  }

  private may<T extends boolean>(judge: () => T): T {
    this.deps.masking.forget();
    const found = judge();
    this.deps.masking.forget();
    return found;
  }

  private granted(viewer: string, scope: Scope): boolean {
    return this.deps.viewer(viewer)?.granted.includes(scope) === true;
  }

  private outcome(act: Act): ActOutcome | null {
    const viewer = this.deps.viewer(act.viewer);
    if (!this.deps.live() || viewer === null || !viewer.granted.includes(NEEDS[act.kind])) return "refused";
    if (act.page !== this.deps.page()) return "gone";
    const node = this.deps.node(act.node);
    if (node === null || !node.isConnected) return "gone";
    const { masking } = this.deps;
    switch (act.kind) {
      case "scroll":
        if (!this.may(() => mayScroll(node, masking))) return "refused";
        centre(node as Element); // also what is in view: so a page is scrolled on by what stands at its edge
        this.deps.tell(viewer, "scroll", node as Element);
        return "done";
      case "click":
        if (!this.may(() => mayClick(node, masking))) return "refused";
        if (!isSeen(node as Element)) return "refused";
        this.deps.tell(viewer, "click", node as Element);
        return withoutSubmitting(node, () => (node as HTMLElement).click()) ? "done" : "refused";
      case "fill":
        if (!this.may(() => mayFill(node, masking))) return "refused";
        if (this.isTyping(node as Field)) return "dismissed";
        if (!isSeen(node as Element) || !fill(node as Field, act.value, masking)) return "refused";
        this.deps.tell(viewer, "fill", node as Element);
        return "done";
      case "propose": {
        if (!this.may(() => mayFill(node, masking))) return "refused";
        const words = fits(node as Field, act.value, masking);
        if (words === null || this.open !== null) return "refused"; // one at a time: what stands there does not change under the finger
        const scrolls = viewer.granted.includes("scroll") || viewer.granted.includes("fill");
        if (!(scrolls ? isSeen(node as Element) : isOnTop(node as Element))) return "refused"; // who may only point moves nothing
        this.open = { act: act.act, viewer, field: node as Field, value: act.value, words };
        this.timer = setTimeout(() => this.answer(false), PROPOSAL_MS);
        this.deps.propose(this.open);
        return null;
      }
      default:
        return "refused";
    }
  }

  /** The customer is at this field. */
  private isTyping(field: Field): boolean {
    const last = this.typed.get(field);
    return last !== undefined && performance.now() - last < TYPING_MS && (field.getRootNode() as Document | ShadowRoot).activeElement === field;
  }
}

function centre(element: Element): void {
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  element.scrollIntoView({ block: "center", behavior: calm ? "instant" : "auto" });
}

/** Brings it into view, where the customer sees what is done; false where something lies over it. */
function isSeen(element: Element): boolean {
  const { top, bottom } = element.getBoundingClientRect();
  const inView = top >= 0 && bottom <= innerHeight; // though it may be out of sight in a part that scrolls by itself
  element.scrollIntoView({ block: inView ? "nearest" : "center", inline: "nearest", behavior: "instant" }); // also where the page's own style scrolls slowly
  return isOnTop(element);
}

/** By its words, where others may read them: else who tries words would find out which there are. */
function choice(select: HTMLSelectElement, value: string, masking: Masking): HTMLOptionElement | null {
  const wanted = value.trim();
  const found = [...select.options].find((one) => !one.disabled && wordsOf(one) === wanted) ?? null;
  masking.forget();
  const reads = found !== null && masking.text(wanted, found) === wanted;
  masking.forget();
  return reads ? found : null;
}

const wordsOf = (option: HTMLOptionElement): string => (option.label || option.text).trim();

/** The words of a value that the field takes, or null. */
function fits(field: Field, value: string, masking: Masking): string | null {
  if (!isClean(value)) return null;
  if (field.localName === "select") {
    const chosen = choice(field as HTMLSelectElement, value, masking);
    return chosen === null || !isClean(wordsOf(chosen)) ? null : wordsOf(chosen);
  }
  const { maxLength } = field as HTMLInputElement;
  if (maxLength >= 0 && value.length > maxLength) return null;
  if (field.localName === "input" && /[\r\n]/.test(value)) return null;
  return value;
}

/** Enters a value as if it were typed: by the browser's own setter, so that pages made with any framework notice. False where the field does not take it. */
function fill(field: Field, value: string, masking: Masking): boolean {
  if (fits(field, value, masking) === null) return false;
  const own = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(field) as object, "value");
  const get = (): string => String(own?.get?.call(field)).replace(/\r\n?/g, "\n");
  const set = (to: string): void => own?.set?.call(field, to);
  const before = get();
  const wanted = field.localName === "select" ? choice(field as HTMLSelectElement, value, masking)!.value : value;
  set(wanted);
  if (get() !== wanted.replace(/\r\n?/g, "\n")) {
    set(before);
    return false;
  }
  const enter = (to: string): boolean =>
    withoutSubmitting(field, () => {
      set(to);
      field.dispatchEvent(new InputEvent("input", { bubbles: true, composed: true, inputType: "insertReplacementText", data: to }));
      field.dispatchEvent(new Event("change", { bubbles: true }));
    });
  if (enter(wanted)) return true;
  enter(before); // what is refused leaves nothing behind
  return false;
}

/** Runs it; a form that would be submitted meanwhile is not. False where one would have been. A form's event does not leave the shadow root that it stands in, so it
 * is held there as well, and what submits without an event does nothing. */
function withoutSubmitting(node: Node, run: () => void): boolean {
  let held = false;
  const hold = (event: Event): void => {
    held = true;
    event.preventDefault();
    event.stopImmediatePropagation();
  };
  const places: EventTarget[] = [window];
  for (let root = node.getRootNode(); "host" in root; root = (root as ShadowRoot).host.getRootNode()) places.push(root);
  const proto = HTMLFormElement.prototype;
  const own = (["submit", "requestSubmit"] as const).map((name) => [name, Object.getOwnPropertyDescriptor(proto, name)] as const);
  for (const place of places) place.addEventListener("submit", hold, { capture: true });
  for (const [name] of own) Object.defineProperty(proto, name, { configurable: true, writable: true, value: () => void (held = true) });
  try {
    run();
  } finally {
    for (const place of places) place.removeEventListener("submit", hold, { capture: true });
    for (const [name, before] of own) {
      if (before === undefined) Reflect.deleteProperty(proto, name);
      else Object.defineProperty(proto, name, before);
    }
  }
  return !held;
}
