/** Puts the chunks of a shared page's events together, and notices when one is missing. Pure. */
import type { ViewDom } from "../cobrowse.gen";

/** An event of one picture, as its JSON text. `begins`: forget what was before. */
export interface PageEvent {
  page: number;
  text: string;
  begins: boolean;
}

/** What the server lets through of one event, and room for what JSON adds. */
export const MAX_EVENT_CHARS = 16 * 1024 * 1024;

/** `more`: not whole yet; `skipped`: nothing can be done with it before the next picture; `lost`: one is missing, and a new picture is needed. */
export type Taken = PageEvent | "more" | "skipped" | "lost";

export class Assembly {
  private next = 1;
  private parts: string[] = [];
  private chars = 0;
  private open: { n: number; page: number; begins: boolean } | null = null;
  private drawn = false; // a picture has begun and nothing of it is missing

  take(chunk: ViewDom): Taken {
    const whole = this.joined(chunk);
    return whole === "lost" ? this.lose() : whole;
  }

  /** Another connection, which counts from 1. */
  reset(): void {
    this.next = 1;
    this.drawn = false;
    this.drop();
  }

  private joined(chunk: ViewDom): Taken {
    const goesOn = this.open !== null && this.open.n === chunk.n;
    if (!goesOn && chunk.n < this.next) return "skipped"; // of an event that was given up
    if (!goesOn) {
      const missing = chunk.n !== this.next || this.open !== null;
      this.drop();
      this.next = chunk.n;
      if (missing && !chunk.picture && this.drawn) {
        this.next = chunk.n + 1;
        return "lost";
      }
      this.open = { n: chunk.n, page: chunk.page, begins: chunk.picture };
    }
    const open = this.open;
    if (open === null) return "lost";
    this.chars += chunk.text.length;
    if (this.chars > MAX_EVENT_CHARS || chunk.page !== open.page) {
      this.next = chunk.n + 1;
      return "lost";
    }
    this.parts.push(chunk.text);
    if (!chunk.last) return "more";
    const text = this.parts.join("");
    this.next = chunk.n + 1;
    this.drop();
    if (open.begins) this.drawn = true;
    return this.drawn ? { page: open.page, text, begins: open.begins } : "skipped";
  }

  private lose(): Taken {
    this.drop();
    const news = this.drawn;
    this.drawn = false;
    return news ? "lost" : "skipped"; // asked for once
  }

  private drop(): void {
    this.parts = [];
    this.chars = 0;
    this.open = null;
  }
}
