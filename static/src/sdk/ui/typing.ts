/** Whether the customer is at the keyboard in the bank's page, so that nothing takes the focus from under their fingers. */
import { OWN_TAG } from "../recording";

/** So long after a key. */
export const TYPES_MS = 3_000;
const KINDS = ["keydown", "input", "compositionstart", "compositionupdate", "compositionend"];

export class Typing {
  private last = -Infinity;
  private composes = false;
  private readonly on = (event: Event): void => {
    const at = event.target;
    if (!event.isTrusted || (at instanceof Element && (at.localName === OWN_TAG || at === document.body || at === document.documentElement))) return;
    if (event.type.startsWith("composition")) this.composes = event.type !== "compositionend";
    this.last = performance.now();
  };
  private readonly onBlur = (): void => void (this.composes = false);

  start(): void {
    for (const kind of KINDS) addEventListener(kind, this.on, { capture: true, passive: true });
    addEventListener("focusout", this.onBlur, { capture: true, passive: true });
  }

  stop(): void {
    for (const kind of KINDS) removeEventListener(kind, this.on, { capture: true });
    removeEventListener("focusout", this.onBlur, { capture: true });
    this.composes = false;
  }

  get now(): boolean {
    return this.composes || performance.now() - this.last < TYPES_MS;
  }
}
