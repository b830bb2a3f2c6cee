/** Where in its own course the bank's page says that the customer is, which fields say that they are wrong, and for how long. Never what is in them. */
import { MAX_WRONG, type TabStep } from "../cobrowse.gen";

const EVERY_MS = 5_000;
const MAX_STEP = 200;
const MOST_ERRORS = 1000;
const MOST_S = 86_400;

const MARKED = "[aria-invalid]:not([aria-invalid=false])";
const WRONG = typeof CSS === "object" && CSS.supports("selector(:user-invalid)") ? `${MARKED}, :user-invalid:not(form):not(fieldset)` : MARKED;

export class Journey {
  /** Another step began. */
  moved: () => void = () => undefined;
  /** The number of a field in the picture that was sent last; 0 or less where others do not know of it. */
  number: (field: Element) => number = () => 0;
  private step = "";
  private since = Date.now();
  private timer: ReturnType<typeof setInterval> | undefined;

  constructor(private readonly send: (message: TabStep) => void) {}

  /** What the bank calls the step that begins now. Raises TypeError: no text. */
  at(step: string): void {
    if (typeof step !== "string") throw new TypeError("Tongping.journey: a text");
    const cut = step.slice(0, MAX_STEP);
    if (cut === this.step) return;
    this.step = cut;
    this.since = Date.now();
    this.moved();
    this.tell();
  }

  /** Whether somebody is there to be told. */
  watch(on: boolean): void {
    if (on === (this.timer !== undefined)) return;
    clearInterval(this.timer);
    this.timer = undefined;
    if (!on) return;
    this.timer = setInterval(() => this.tell(), EVERY_MS);
    this.tell();
  }

  get now(): Omit<TabStep, "type" | "fields"> {
    const errors = Math.min(wrong().length, MOST_ERRORS);
    const dwell_s = Math.min(Math.floor((Date.now() - this.since) / 1000), MOST_S);
    return { step: this.step, errors, dwell_s };
  }

  /** Also when there is a new picture. */
  tell(): void {
    if (this.timer === undefined) return;
    const fields = wrong().map(this.number).filter((one) => one > 0).slice(0, MAX_WRONG);
    this.send({ type: "tab.step", ...this.now, fields });
  }
}

const wrong = (): Element[] => [...document.querySelectorAll(WRONG)];
