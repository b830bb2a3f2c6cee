/** How long a voice is kept before it is played: a lost packet that is sent again comes a round trip later than the others, and must
 *  find its place not played yet. Chromium lengthens its buffer slowly and not as far; so it is told while words are missing. Pure. */

export const MOST_MS = 200; // longer, and people begin to interrupt each other
const FAR_MS = 60; // with a shorter round trip what is sent again comes in time anyway
const STEP_MS = 40;
const FALL_MS = 10;
const LEAST_MS = 40;
const GAPS = 0.01;
const QUIET = 10; // looks without gaps before it falls

/** Counters of one voice (`RTCInboundRtpStreamStats`), as they are now. */
export interface Heard {
  samples: number;
  made: number; // made up, but for silence
  delay: number; // seconds that samples were kept, together
  played: number;
}

export class Patience {
  private last: Heard | null = null;
  private quiet = 0;
  private target: number | null = null;

  /** Milliseconds to ask for; null: as the browser thinks best. Call it once a second. */
  next(now: Heard, rttMs: number): number | null {
    const before = this.last;
    this.last = now;
    if (before === null || now.samples <= before.samples) return this.target;
    const gaps = (now.made - before.made) / (now.samples - before.samples);
    if (gaps >= GAPS) {
      this.quiet = 0;
      if (rttMs >= FAR_MS) this.raise(before, now, rttMs);
    } else if (this.target !== null) {
      this.quiet += 1;
      if (this.quiet > QUIET) this.target = this.target - FALL_MS < LEAST_MS ? null : this.target - FALL_MS;
    }
    return this.target;
  }

  private raise(before: Heard, now: Heard, rttMs: number): void {
    const played = now.played - before.played;
    const kept = played > 0 ? (1000 * (now.delay - before.delay)) / played : 0;
    const enough = Math.min(MOST_MS, rttMs + FAR_MS);
    this.target = Math.max(this.target ?? 0, Math.round(Math.min(enough, Math.max(kept, this.target ?? 0) + STEP_MS)));
  }
}

export function heard(stat: Record<string, unknown>): Heard {
  const number = (name: string): number => (typeof stat[name] === "number" ? stat[name] : 0);
  return {
    samples: number("totalSamplesReceived"),
    made: number("concealedSamples") - number("silentConcealedSamples"),
    delay: number("jitterBufferDelay"),
    played: number("jitterBufferEmittedCount"),
  };
}
