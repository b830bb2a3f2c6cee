/** Where in its own course the bank's page says that the customer is, how many fields say that they are wrong, and for how long. Never what is in them. */
import type { TabStep } from "../cobrowse.gen";

const EVERY_MS = 10_000;
const MAX_STEP = 200;
const MOST_ERRORS = 1000;
const MOST_S = 86_400;

const MARKED = "[aria-invalid]:not([aria-invalid=false])";
const WRONG = typeof CSS === "object" && CSS.supports("selector(:user-invalid)") ? `${MARKED}, :user-invalid:not(form):not(fieldset)` : MARKED;

export class Journey {
  /** Another step began. */
  moved: () => void = () => undefined;
  private step = "";
  private since = Date.now();
  private timer: ReturnType<typeof setInterval> | undefined;
  private last = "";

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
    this.last = "";
    if (!on) return;
    this.timer = setInterval(() => this.tell(), EVERY_MS);
    this.tell();
  }

  get now(): Omit<TabStep, "type"> {
    const errors = Math.min(document.querySelectorAll(WRONG).length, MOST_ERRORS);
    const dwell_s = Math.min(Math.floor((Date.now() - this.since) / 1000), MOST_S);
    return { step: this.step, errors, dwell_s };
  }

  private tell(): void {
    if (this.timer === undefined || this.step === "") return;
    const message: TabStep = { type: "tab.step", ...this.now };
    const text = JSON.stringify(message);
    if (text !== this.last) this.send(message);
    this.last = text;
  }
}
