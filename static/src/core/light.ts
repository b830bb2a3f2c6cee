/** The coloured light of a check, as it may be shown: never two changes within a second (WCAG 2.3.1), also where messages bunch up on their way.
 *
 *  A colour that comes too soon waits for its second. One alone waits: a newer one takes its place, so that the page catches up with what the server
 *  believes is shown, in the server's order. What waits is late by less than a second, and catches up, since most colours last longer than one. */
import { signal } from "@preact/signals";
import type { ReadonlySignal } from "@preact/signals";

/** The light of the screen outside the oval, from now on. "": the page as it was. */
export interface Light {
  colour: string;
  fadeS: number;
}

const APART_MS = 1_000;
const FADE_S = 0.3;

export class ScreenLight {
  private readonly shownLight = signal<Light | null>(null);
  private next: Light | null = null; // what waits
  private waiting: ReturnType<typeof setTimeout> | null = null;
  private changedMs = -Infinity;

  /** `now`: milliseconds of a clock that only goes forward. */
  constructor(private readonly now: () => number = () => performance.now()) {}

  /** null: there was none in this attempt. */
  get shown(): ReadonlySignal<Light | null> {
    return this.shownLight;
  }

  tell(colour: string, waitS: number, fadeS: number): void {
    this.put({ colour, fadeS }, waitS * 1_000);
  }

  /** The attempt is over: where the server does not say how the light goes, it goes as soon as it may. */
  end(): void {
    if (this.shownLight.peek()?.colour && this.next?.colour !== "") this.tell("", 0, FADE_S);
  }

  /** Another attempt begins: what is left of the one before goes, in its time. */
  clear(): void {
    this.put(null, 0);
  }

  private put(next: Light | null, waitMs: number): void {
    if (this.waiting !== null) clearTimeout(this.waiting);
    this.waiting = this.next = null;
    const before = this.shownLight.peek();
    const same = (next?.colour ?? "") === (before?.colour ?? "");
    const left = same ? 0 : Math.max(waitMs, this.changedMs + APART_MS - this.now());
    if (left > 0) {
      this.next = next;
      this.waiting = setTimeout(() => this.put(next, 0), Math.ceil(left));
      return;
    }
    if (!same) this.changedMs = this.now();
    this.shownLight.value = next;
  }
}
