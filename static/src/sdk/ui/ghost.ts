/** What a viewer proposes for a field, beside the field: the customer takes it or not. */
import type { Proposal } from "../acts";
import type { Say } from "../words";
import { apartFrom } from "../clean";
import { CALM_MS, el, place, press } from "./dom";

const GAP = 8;

export class Ghost {
  private card: HTMLElement | null = null;
  private field: Proposal["field"] | null = null;
  private frame = 0;

  constructor(
    private readonly root: HTMLElement,
    private readonly say: Say,
    private readonly answer: (accepted: boolean) => void,
    private readonly announce: (text: string) => void,
  ) {}

  /** Whoever was at the card is led to the field. */
  show(proposal: Proposal | null): void {
    cancelAnimationFrame(this.frame);
    const here = this.card?.contains((this.root.getRootNode() as Partial<ShadowRoot>).activeElement ?? null) === true;
    this.card?.remove();
    this.card = null;
    if (here) this.field?.focus({ preventScroll: true });
    this.field = proposal?.field ?? null;
    if (proposal === null) return;
    const { say } = this;
    const name = proposal.viewer.name || say("someone");
    const title = say("ghost", { name });
    const came = performance.now();
    const accept = (): void => {
      if (performance.now() - came >= CALM_MS) this.answer(true);
    };
    const card = el(
      "section",
      { class: "ghost", role: "group", "aria-label": title },
      el("div", { class: "soft" }, ...apartFrom(title, [name])),
      el("div", { class: "value", dir: "auto" }, proposal.words),
      el("div", { class: "row" }, press(say("ghost.dismiss"), () => this.answer(false)), press(say("ghost.accept"), accept, { class: "main" })),
    );
    card.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && event.isTrusted) {
        event.stopPropagation();
        this.answer(false);
      }
    });
    this.root.append(card);
    this.card = card;
    this.announce(`${title} ${proposal.words}`);
    const follow = (): void => {
      beside(card, proposal.field);
      this.frame = requestAnimationFrame(follow);
    };
    follow();
  }
}

/** Under the field where there is room, else above it; never outside of the window. */
function beside(card: HTMLElement, field: Element): void {
  const at = field.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = card;
  const below = at.bottom + GAP + height <= innerHeight;
  const top = below ? at.bottom + GAP : Math.max(GAP, at.top - GAP - height);
  const left = Math.min(Math.max(GAP, at.left), Math.max(GAP, innerWidth - width - GAP));
  place(card, { left: `${left}px`, top: `${top}px` });
}
